/** A set of whole numbers, kept as ranges: numbers that follow each other cost nothing more. */
export class NumberRanges {
  /** First and last number of each range, ascending; neighbours do not touch. */
  readonly #first: number[] = [];
  readonly #last: number[] = [];

  get rangeCount(): number {
    return this.#first.length;
  }

  /** False when the number was there already. */
  add(number: number): boolean {
    const first = this.#first;
    const last = this.#last;
    const range = this.#rangeAt(number);
    if (range >= 0 && number <= last[range]) return false;
    const touchesBefore = range >= 0 && number === last[range] + 1;
    const touchesAfter = range + 1 < first.length && number === first[range + 1] - 1;
    if (touchesBefore && touchesAfter) {
      last[range] = last[range + 1];
      first.splice(range + 1, 1);
      last.splice(range + 1, 1);
    } else if (touchesBefore) last[range] = number;
    else if (touchesAfter) first[range + 1] = number;
    else {
      first.splice(range + 1, 0, number);
      last.splice(range + 1, 0, number);
    }
    return true;
  }

  clear(): void {
    this.#first.length = 0;
    this.#last.length = 0;
  }

  /** The last range that begins at or before `number`, -1 when there is none. */
  #rangeAt(number: number): number {
    const first = this.#first;
    // Numbers mostly come in order.
    if (first.length === 0 || first[first.length - 1] <= number) return first.length - 1;
    let low = -1;
    let high = first.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (first[middle] <= number) low = middle;
      else high = middle;
    }
    return low;
  }
}
