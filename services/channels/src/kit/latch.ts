/** A promise that somebody else resolves; the first value counts. */
export class Latch<T> {
  readonly promise: Promise<T>;
  readonly open: (value: T) => void;

  constructor() {
    let resolvePromise: (value: T) => void = () => {};
    this.promise = new Promise<T>((resolve) => {
      resolvePromise = resolve;
    });
    this.open = (value) => resolvePromise(value);
  }
}
