/** The request for a whole object, of whatever size. */
export const whole = { maxBytes: 2 ** 40 } as const;
