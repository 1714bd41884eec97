/** Modes of log files, and of the directories made for them. */

/** Group members may read; nobody else has a right. */
export const DEFAULT_FILE_MODE = 0o640;

/** A directory is entered where its files are read. */
export function directoryModeOf(fileMode: number): number {
  return fileMode | ((fileMode & 0o444) >> 2);
}
