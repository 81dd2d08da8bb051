package tape

// The synthetic price path is a sum of value noise: for each octave, hashed
// numbers at the points of a lattice and straight lines between them. Octaves
// of period 2^k minutes have an amplitude of 2^(k/2), which makes the sum move
// like a random walk up to the longest period (about 23 days) and stay in
// bounds beyond it. Everything is integers: logarithms in units of 1e-9,
// factors in thousandths.

const (
	octaves     = 16 // longest period 2^15 minutes
	fineOctaves = 5  // shortest period 60 s / 2^5 = 1.875 s
	knots       = 1 << fineOctaves
	volFrom     = 4 // octaves of volatility: 16 minutes …
	volTo       = 9 // … to 8.5 hours
	logUnit     = 1_000_000_000
)

// The streams of hashed numbers, told apart by name.
const (
	streamPath = iota << 8
	streamFine
	streamVol
	streamEvents
	streamHalts
	streamCrosses
)

// amplitude is 4e-4 × 2^(k/2): with the octaves below and above it moves the
// price by about 0.08 % a minute, 25 % a year of trading hours, like a large
// US stock.
var amplitude = [octaves]int64{
	400_000, 565_685, 800_000, 1_131_371, 1_600_000, 2_262_742, 3_200_000, 4_525_483,
	6_400_000, 9_050_967, 12_800_000, 18_101_934, 25_600_000, 36_203_867, 51_200_000, 72_407_734,
}

// fineAmplitude continues amplitude below a minute: 2^(-f/2), f = 1…5.
var fineAmplitude = [fineOctaves]int64{282_843, 200_000, 141_421, 100_000, 70_711}

// fineReach is the most that the octaves below a minute add up to, at a
// volatility of one: their sum × 1732 thousandths, rounded up.
const fineReach = (282_843+200_000+141_421+100_000+70_711)*1732/1000 + 1

// noise is the hashed numbers of one symbol and seed.
type noise struct{ seed uint64 }

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func (n noise) hash(stream int, i int64) uint64 {
	return mix(n.seed + mix(uint64(i)*0x9e3779b97f4a7c15+uint64(stream)))
}

// node is uniform in ±1732 thousandths: variance one.
func (n noise) node(stream int, i int64) int64 {
	return int64(n.hash(stream, i)%3465) - 1732
}

// volatility is a factor around 1000 at a minute, between 379 and 2636, which
// changes over minutes to hours: quiet and wild times come in clusters.
func (n noise) volatility(minute int64) int64 {
	var v int64
	for k := volFrom; k <= volTo; k++ {
		i, frac := minute>>k, minute&(1<<k-1)
		a, b := n.node(streamVol+k, i), n.node(streamVol+k, i+1)
		v += (a*(1<<k-frac) + b*frac) >> k
	}
	return volatilityOf(v)
}

// volatilityOf makes the factor of a sum of octaves.
func volatilityOf(v int64) int64 {
	return expNear(min(max(v*220, -900_000), 900_000)*1000) / (logUnit / 1000)
}

// expNear is exp(x) for x in (-2, 2), both in units of 1e-9, by the Padé
// approximant (2+x)/(2-x): rising, above zero, and the same on every machine.
func expNear(x int64) int64 {
	return scale(logUnit, x)
}

// scale returns v × exp(x), nearly: see expNear. v × 4e9 must fit 63 bits.
func scale(v, x int64) int64 { return v * ((2*logUnit + x) >> 2) / ((2*logUnit - x) >> 2) }

func (n noise) fine(f int, i, vol int64) int64 {
	return fineAmplitude[f] * n.node(streamFine+f, i) / 1000 * vol / 1000
}
