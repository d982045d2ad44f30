"""The random streams in whole numbers of any size, as their definition reads."""

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def scramble(z):
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def stream_of(seed, replicate):
    return scramble((scramble((seed + GOLDEN) & MASK) + replicate * GOLDEN) & MASK)


def word(key, counter):
    return scramble((key + (counter + 1) * GOLDEN) & MASK)


def draw_below(key, counter, n):
    return (word(key, counter) >> 32) * n >> 32


def fill_below(key, count, n):
    halves = [h for k in range((count + 1) // 2) for h in divmod(word(key, k), 1 << 32)]
    return [half * n >> 32 for half in halves[:count]]
