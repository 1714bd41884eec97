import { isSystemError } from '../../base/errors.js';

/** Clean up as far as it goes: the error that led here is the one to tell. */
export function attemptAll(...steps: (() => void)[]): void {
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }
}
