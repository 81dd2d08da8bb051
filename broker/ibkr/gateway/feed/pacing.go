package feed

import "time"

// The venue's limits of questions for small bars, section 9.
const (
	sameWait  = 15 * time.Second // between two that are identical
	fewWait   = 2 * time.Second  // in which fewer than fewLimit may be of one contract and kind
	fewLimit  = 6
	manyWait  = 10 * time.Minute // in which at most manyLimit may be
	manyLimit = 60
	// maxHistories bounds a session's questions for bars that are not answered
	// yet or are kept up to date.
	maxHistories = 50
	pacingText   = "Historical Market Data Service error message:Historical data request pacing violation"
)

// pacing remembers the questions for small bars of the login, of all its
// sessions together. It holds at most manyLimit and a few: one more is refused
// and not remembered.
type pacing struct{ asked []question }

// question is one that was answered.
type question struct {
	at     time.Time // wall time
	whole  string    // all of it but its id
	kind   string    // contract and what to show
	weight int       // quotes of both sides count twice
}

// allow reports whether a question may be answered, and remembers it then.
func (p *pacing) allow(q question) bool {
	for len(p.asked) > 0 && q.at.Sub(p.asked[0].at) >= manyWait {
		p.asked = p.asked[1:]
	}
	few, many := q.weight, q.weight
	for i := range p.asked {
		old, ago := &p.asked[i], q.at.Sub(p.asked[i].at)
		many += old.weight
		if old.kind == q.kind && ago < fewWait {
			few += old.weight
		}
		if old.whole == q.whole && ago < sameWait {
			return false
		}
	}
	if few > fewLimit || many > manyLimit {
		return false
	}
	p.asked = append(p.asked, q)
	return true
}
