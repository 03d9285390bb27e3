/** A question that many may ask at once, and that is asked once: callers that come while it is under way wait for the same answer. */
export class SingleFlight<T> {
  #underWay: Promise<T> | undefined;

  get isUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  /** Resolves when nothing is under way; never rejects. */
  async settled(): Promise<void> {
    await this.#underWay?.catch(() => undefined);
  }

  run(ask: () => Promise<T>): Promise<T> {
    this.#underWay ??= ask().finally(() => (this.#underWay = undefined));
    return this.#underWay;
  }
}
