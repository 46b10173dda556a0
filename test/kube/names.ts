// Names that the rig, the driver and the tests agree on.
export const DRIVER_NAME = 'csi.ashlar.dev'
/** The node that the driver is on: with loop devices, the only one that can have its volumes. */
export const NODE = 'node-a'
/** A node that is only told of. */
export const OTHER_NODE = 'node-b'
