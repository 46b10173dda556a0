// The lab's error type and the exit codes it adds to those of the commands it runs.

/** A failure of the lab itself or of its use; the message is complete without a stack. */
export class LabError extends Error {
  override name = 'LabError'
}

/** Exit code when the lab could not run the command, or lost the VM under it. */
export const EXIT_LAB = 125
/** Exit code when the command ran longer than allowed, as coreutils' timeout(1) gives it. */
export const EXIT_TIMEOUT = 124
