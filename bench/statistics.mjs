/** The middle value; the mean of the two middle ones of an even number. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** The values that half of the values, 99 of 100, 999 of 1 000 and all of them do not exceed. */
export function quantiles(values) {
  const sorted = Float64Array.from(values).sort()
  const at = (share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) }
}

/** The middle of ratios: of 2 and ½ it is 1. */
export function geometricMean(ratios) {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length)
}
