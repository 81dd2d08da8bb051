package tape

// walker walks along the price path of a symbol. It keeps the lattice points
// that it was between, so that the next minute is cheap; any other minute may
// be asked for all the same, and what it tells depends on the minute alone.
type walker struct {
	noise
	path [octaves]rail
	vol  [volTo + 1]rail // from volFrom on
}

// rail is two neighbouring points of an octave's lattice.
type rail struct {
	i     int64 // of a
	a, b  int64
	known bool
}

// volatility is [noise.volatility], remembered.
func (w *walker) volatility(minute int64) int64 {
	var v int64
	for k := volFrom; k <= volTo; k++ {
		i, frac := minute>>k, minute&(1<<k-1)
		r := &w.vol[k]
		switch {
		case r.known && r.i == i:
		case r.known && r.i == i-1:
			r.i, r.a, r.b = i, r.b, w.node(streamVol+k, i+1)
		default:
			*r = rail{i, w.node(streamVol+k, i), w.node(streamVol+k, i+1), true}
		}
		v += (r.a*(1<<k-frac) + r.b*frac) >> k
	}
	return volatilityOf(v)
}

// point is a point of an octave's lattice. Octaves slower than the volatility
// itself are not modulated by it.
func (w *walker) point(k int, i int64) int64 {
	v := w.node(streamPath+k, i)
	switch {
	case k == 0:
		v = v * w.volatility(i) / 1000
	case k <= volTo:
		v = v * w.noise.volatility(i<<k) / 1000
	}
	return v
}

// level is the logarithm of the price at the start of a minute, without the
// octaves shorter than that. It stays within ±0.6.
func (w *walker) level(minute int64) int64 {
	var x int64
	for k := range octaves {
		i, frac := minute>>k, minute&(1<<k-1)
		r := &w.path[k]
		switch {
		case r.known && r.i == i:
		case r.known && r.i == i-1:
			r.i, r.a, r.b = i, r.b, w.point(k, i+1)
		default:
			*r = rail{i, w.point(k, i), w.point(k, i+1), true}
		}
		x += amplitude[k] * ((r.a*(1<<k-frac) + r.b*frac) >> k) / 1000
	}
	return x
}

// leg is a minute of the path, as far as it is known without looking closely.
type leg struct {
	minute   int64
	from, to int64 // levels at its ends
	vol      int64
	volNext  int64
}

// leg returns a minute's.
func (w *walker) leg(minute int64) leg {
	l := leg{minute: minute, from: w.level(minute), vol: w.volatility(minute)}
	l.to, l.volNext = w.level(minute+1), w.volatility(minute+1)
	return l
}

// after returns the leg that follows l.
func (w *walker) after(l leg) leg {
	m := l.minute + 1
	return leg{minute: m, from: l.to, to: w.level(m + 1), vol: l.volNext, volNext: w.volatility(m + 1)}
}

// reach bounds the path in the minute: no point of it is below low or above
// high.
func (l *leg) reach() (low, high int64) {
	off := fineReach*max(l.vol, l.volNext)/1000 + knots // rounding towards zero loses less
	return min(l.from, l.to) - off, max(l.from, l.to) + off
}

// fill sets path to the logarithm of the price at the knots of a minute, the
// first of the next included.
func (w *walker) fill(l leg, path *[knots + 1]int64) {
	for j := range path {
		path[j] = l.from + (l.to-l.from)*int64(j)/knots
	}
	for f := range fineOctaves {
		step := knots >> (f + 1) // knots between two points of the lattice
		first, points := l.minute<<(f+1), knots/step
		a := w.fine(f, first, l.vol)
		for p := range points {
			if p == points-1 {
				// The next minute computes the last point with its own volatility.
				b := w.fine(f, first+int64(points), l.volNext)
				ramp(path[p*step:], a, b, step)
				path[knots] += b
				break
			}
			b := w.fine(f, first+int64(p)+1, l.vol)
			ramp(path[p*step:], a, b, step)
			a = b
		}
	}
}

// ramp adds the straight line from a to b, without b itself.
func ramp(path []int64, a, b int64, step int) {
	for j := range step {
		path[j] += a + (b-a)*int64(j)/int64(step)
	}
}
