// Original file: proto/csi.proto


export interface GetPluginInfoResponse {
  /**
   * REQUIRED: driver name, a domain name of at most 63 characters
   */
  'name'?: (string);
  /**
   * REQUIRED: our version
   */
  'vendor_version'?: (string);
  /**
   * free information about the build
   */
  'manifest'?: ({[key: string]: string});
}

export interface GetPluginInfoResponse__Output {
  /**
   * REQUIRED: driver name, a domain name of at most 63 characters
   */
  'name': (string);
  /**
   * REQUIRED: our version
   */
  'vendor_version': (string);
  /**
   * free information about the build
   */
  'manifest': ({[key: string]: string});
}
