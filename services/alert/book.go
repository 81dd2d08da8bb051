package alert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"robotrader/services/alert/post"
)

// Trouble is something that needs a hand.
type Trouble struct {
	Kind Kind
	// Key tells apart troubles of one kind, such as a symbol; "" where there is
	// one at most.
	Key string
	// Cause is what is wrong, in plain words. One that differs from what was
	// told is news, so it holds no clock and no counter.
	Cause  string
	Advice string // what a person can do, "" = nothing is known to help
}

// item is a trouble with what was said of it.
type item struct {
	Trouble
	began time.Time
	seen  time.Time // when it was raised last
	over  time.Time // zero while it is on
	told  string    // the cause that was told last, "" = nothing was
	times int       // how often it began since it was told of
}

// news reports whether there is something to say.
func (i *item) news() bool { return !i.over.IsZero() || i.told != i.Cause }

// line is all of one kind.
type line struct {
	items  map[string]*item
	beyond map[string]bool // keys that had no room: whether that was told
	more   int             // of them, that were not told
	tokens int             // messages that may leave at once
	filled time.Time       // when the newest of them came
	held   bool            // what there is to say is held back, by the night or the budget
	spoke  bool            // in the hour of the budget
}

const (
	// maxItems bounds the troubles of a kind that a book holds.
	maxItems = 64
	// maxBeyond bounds the keys of those beyond, so that each is counted once;
	// what is beyond these, too, is not counted.
	maxBeyond = 1024
)

// Book holds which troubles are on, and decides what is said of them and when.
// It has no clock, no goroutine and no lock: its owner has. Make it with
// [NewBook].
type Book struct {
	quiet         Quiet
	urgent, off   map[Kind]bool
	burst         int
	gap           time.Duration
	all, ordinary int // messages an hour: of all kinds, of those that are not urgent
	name          string

	lines map[Kind]*line
	hour  time.Time // when the hour of the budget began, zero = it has not
	said  int       // messages in it
	kept  map[Kind]uint64
}

// NewBook returns an empty book. The configuration is a valid one; name is put
// before each title.
func NewBook(cfg Config, name string) *Book {
	set := func(list []string) map[Kind]bool {
		m := map[Kind]bool{}
		for _, k := range list {
			m[Kind(k)] = true
		}
		return m
	}
	q, _ := ParseQuiet(cfg.QuietHours) // validated
	b := &Book{
		quiet: q, urgent: set(cfg.Urgent), off: set(cfg.Off), burst: cfg.Burst, gap: cfg.Gap,
		all: cfg.PerHour, ordinary: cfg.PerHour - cfg.PerHour/3, name: name,
		lines: map[Kind]*line{}, kept: map[Kind]uint64{},
	}
	for _, k := range Kinds() {
		b.lines[k] = &line{items: map[string]*item{}, beyond: map[string]bool{}, tokens: cfg.Burst}
	}
	return b
}

// Raise notes that a trouble is on, or has another cause now, and reports
// whether that is news.
func (b *Book) Raise(now time.Time, t Trouble) bool {
	l := b.lines[t.Kind]
	if l == nil || b.off[t.Kind] {
		return false
	}
	if t.Cause == "" {
		t.Cause = "no cause is told"
	}
	i := l.items[t.Key]
	if i != nil {
		i.seen = now
	}
	switch {
	case i == nil && len(l.items) >= maxItems:
		if _, known := l.beyond[t.Key]; known || len(l.beyond) >= maxBeyond {
			return false
		}
		l.beyond[t.Key] = false
		l.more++
	case i == nil:
		l.leave(t.Key)
		l.items[t.Key] = &item{Trouble: t, began: now, seen: now, times: 1}
	case !i.over.IsZero(): // back before its end was told
		i.Trouble, i.over = t, time.Time{}
		i.times++
	case i.Cause == t.Cause:
		i.Advice = t.Advice
		return false
	default:
		i.Trouble = t
	}
	b.count(t.Kind, l)
	return true
}

// Clear notes that a trouble is over, and reports whether it was on.
func (b *Book) Clear(now time.Time, k Kind, key string) bool {
	l := b.lines[k]
	if l == nil {
		return false
	}
	l.leave(key)
	i := l.items[key]
	if i == nil || !i.over.IsZero() {
		return false
	}
	i.over = now
	b.count(k, l)
	return true
}

// ClearAll notes that all troubles of a kind are over.
func (b *Book) ClearAll(now time.Time, k Kind) bool {
	any := false
	if l := b.lines[k]; l != nil {
		for key := range l.items {
			any = b.Clear(now, k, key) || any
		}
		clear(l.beyond)
		l.more = 0
	}
	return any
}

// leave forgets a key that had no room.
func (l *line) leave(key string) {
	if told, known := l.beyond[key]; known && !told {
		l.more--
	}
	delete(l.beyond, key)
}

// rememberFor is how long a trouble of the kind [Other] counts as the same when
// it comes again. It is an event, of which nobody tells that it is over.
const rememberFor = time.Hour

// Forget drops the events that were told and have not come again.
func (b *Book) Forget(now time.Time) {
	l := b.lines[Other]
	full := len(l.items) == maxItems
	maps.DeleteFunc(l.items, func(_ string, i *item) bool { return !i.news() && now.Sub(i.seen) >= rememberFor })
	if full && len(l.items) < maxItems { // there is room again
		maps.DeleteFunc(l.beyond, func(_ string, told bool) bool { return told })
	}
}

// count counts what is held back.
func (b *Book) count(k Kind, l *line) {
	if l.held {
		b.kept[k]++
	}
}

// Held returns, by kind, how much was held back by the night or the budget in
// the book's life.
func (b *Book) Held() map[Kind]uint64 { return maps.Clone(b.kept) }

// On returns the troubles that are on, oldest first.
func (b *Book) On() []Standing {
	var list []Standing
	for _, l := range b.lines {
		for _, i := range l.items {
			if i.over.IsZero() {
				list = append(list, Standing{i.Trouble, i.began, i.told == ""})
			}
		}
	}
	slices.SortFunc(list, func(x, y Standing) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Key, y.Key))
	})
	return list
}

// Standing is a trouble that is on.
type Standing struct {
	Trouble
	Since  time.Time // wall time
	Untold bool      // nobody was told yet
}

// Due returns what is to be said now; it counts as said.
func (b *Book) Due(now time.Time) []post.Message {
	b.Forget(now)
	if !b.hour.IsZero() && now.Sub(b.hour) >= time.Hour {
		b.hour, b.said = time.Time{}, 0
		for _, l := range b.lines {
			l.spoke = false
		}
	}
	var list []post.Message
	var kept []Kind
	for _, k := range Kinds() {
		l := b.lines[k]
		switch {
		case !l.news():
			l.held = false // what was held is no news any more
		case b.waits(now, k):
			if !l.held {
				l.held = true
				b.kept[k]++
			}
		case l.held: // it is over
			l.held = false
			kept = append(kept, k)
		case l.token(now, b.burst, b.gap):
			list = append(list, b.message(now, k))
		}
	}
	if len(kept) > 0 {
		list = append(list, b.summary(now, kept))
	}
	return list
}

// waits reports whether a kind may not speak now.
func (b *Book) waits(now time.Time, k Kind) bool {
	return b.spent(k) || !b.urgent[k] && b.quiet.At(now)
}

// spent reports whether nothing of the hour's budget is left for a kind. An
// urgent one that was not heard in it is heard once whatever the others said:
// one that flaps is not to hide another.
func (b *Book) spent(k Kind) bool {
	if !b.urgent[k] {
		return b.said >= b.ordinary
	}
	return b.said >= b.all && b.lines[k].spoke
}

// Next returns when Due has something to say if nothing new happens; ok is
// false when never.
func (b *Book) Next(now time.Time) (at time.Time, ok bool) {
	for k, l := range b.lines {
		if !l.news() {
			continue
		}
		t := now
		switch {
		case b.spent(k):
			t = b.hour.Add(time.Hour)
		case !b.urgent[k] && b.quiet.At(now):
			t = b.quiet.Ends(now)
		case !l.held && l.tokens == 0:
			t = l.filled.Add(b.gap)
		}
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	return at, ok
}

func (l *line) news() bool {
	if l.more > 0 {
		return true
	}
	for _, i := range l.items {
		if i.news() {
			return true
		}
	}
	return false
}

// token takes one of the kind's messages, if there is one.
func (l *line) token(now time.Time, burst int, gap time.Duration) bool {
	if n := int(now.Sub(l.filled) / gap); n > 0 {
		l.tokens = min(burst, l.tokens+n)
		l.filled = l.filled.Add(time.Duration(n) * gap)
	}
	if l.tokens == burst {
		l.filled = now // a full line fills no further
	}
	if l.tokens == 0 {
		return false
	}
	l.tokens--
	return true
}

// message says all that there is to say of one kind.
func (b *Book) message(now time.Time, k Kind) post.Message {
	text, over := b.tell(now, k)
	b.lines[k].spoke = true
	title := k.title()
	if over {
		title = "Over: " + title
	}
	return b.spend(now, post.Message{Title: title, Text: text, Kind: string(k), Urgent: b.urgent[k] && !over, At: now})
}

// summary says all that there is to say of several kinds in one message.
func (b *Book) summary(now time.Time, of []Kind) post.Message {
	m := post.Message{Title: "What was held back", Kind: "summary", At: now}
	var s strings.Builder
	for _, k := range of {
		text, over := b.tell(now, k)
		b.lines[k].spoke = true
		state := ""
		if over {
			state = " (over)"
		}
		fmt.Fprintf(&s, "%s%s\n%s\n", k.title(), state, text)
		m.Urgent = m.Urgent || b.urgent[k] && !over
	}
	m.Text = strings.TrimSpace(s.String())
	return b.spend(now, m)
}

// spend takes a message out of the hour's budget. The one that uses it up says
// so.
func (b *Book) spend(now time.Time, m post.Message) post.Message {
	if b.hour.IsZero() {
		b.hour = now
	}
	b.said++
	until := b.clock(b.hour.Add(time.Hour))
	switch b.said {
	case b.all:
		m.Text += fmt.Sprintf("\n%d alerts in an hour are enough: until %s only an urgent kind that was not heard yet speaks, the rest then, in one.", b.all, until)
	case b.ordinary:
		m.Text += fmt.Sprintf("\n%d alerts in an hour: until %s only urgent ones come, the rest then, in one.", b.ordinary, until)
	}
	m.Title = "[" + b.name + "] " + m.Title
	return m
}

// tell returns what there is to say of a kind, a line each, and takes it for
// said. Over is true when all of it is an end.
func (b *Book) tell(now time.Time, k Kind) (text string, over bool) {
	l := b.lines[k]
	var list []*item
	for _, i := range l.items {
		if i.news() {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(x, y *item) int { return cmp.Or(x.began.Compare(y.began), cmp.Compare(x.Key, y.Key)) })
	over = true
	var lines []string
	for _, i := range list {
		lines = append(lines, b.sentence(now, i))
		if i.over.IsZero() {
			over = false
			i.told, i.times = i.Cause, 0
		} else {
			delete(l.items, i.Key)
		}
	}
	if l.more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more, of which nothing is kept: see the dashboard", l.more))
		for key := range l.beyond {
			l.beyond[key] = true
		}
		l.more, over = 0, false
	}
	return strings.Join(lines, "\n"), over
}

// late is how old the beginning of a trouble has to be for its time to be told.
const late = 10 * time.Second

func (b *Book) sentence(now time.Time, i *item) string {
	again := ""
	if i.times > 1 {
		again = fmt.Sprintf(" (%d times since %s)", i.times, b.clock(i.began))
	}
	switch {
	case !i.over.IsZero() && i.told != "":
		return fmt.Sprintf("over, lasted %v: %s", lasted(i), i.told)
	case !i.over.IsZero():
		return fmt.Sprintf("at %s, over after %v%s: %s", b.clock(i.began), lasted(i), again, i.Cause)
	}
	s := i.Cause
	if i.told != "" {
		s = "now: " + s
	}
	if i.Advice != "" {
		s += "; " + i.Advice
	}
	if i.told == "" && again == "" && now.Sub(i.began) >= late {
		again = " (since " + b.clock(i.began) + ")"
	}
	return s + again
}

func lasted(i *item) time.Duration {
	d := i.over.Sub(i.began)
	if d < time.Second {
		return max(0, d.Round(time.Millisecond))
	}
	return d.Round(time.Second)
}

// clock shows a time as the clocks of the quiet hours' zone do, or UTC.
func (b *Book) clock(t time.Time) string {
	zone := b.quiet.zone
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format("15:04:05 MST")
}
