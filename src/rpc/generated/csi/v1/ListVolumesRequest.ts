// Original file: proto/csi.proto


export interface ListVolumesRequest {
  /**
   * page size; 0 means no limit, negative is invalid
   */
  'max_entries'?: (number);
  /**
   * next_token of the page before; empty starts from the top
   */
  'starting_token'?: (string);
}

export interface ListVolumesRequest__Output {
  /**
   * page size; 0 means no limit, negative is invalid
   */
  'max_entries': (number);
  /**
   * next_token of the page before; empty starts from the top
   */
  'starting_token': (string);
}
