/** Names of the files and folders in `DATA_DIR`. */
export const dataFiles = {
  database: "parley.db",
  /** Locked by the process that uses the folder. */
  lock: "lock.db",
  secret: "jwt-secret",
  blobs: "blobs",
} as const;
