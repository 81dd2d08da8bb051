package alert

import (
	"fmt"
	"strings"
	"time"
)

// Quiet is a window of each day, by the clocks of a time zone. The zero value
// is never.
type Quiet struct {
	from, to int // minutes since midnight
	zone     *time.Location
}

// ParseQuiet reads a window such as "22:00-07:00 Europe/Berlin"; an empty text
// is never.
func ParseQuiet(s string) (Quiet, error) {
	if strings.TrimSpace(s) == "" {
		return Quiet{}, nil
	}
	window, zone, _ := strings.Cut(strings.TrimSpace(s), " ")
	from, to, ok := strings.Cut(window, "-")
	var q Quiet
	var errs [2]error
	q.from, errs[0] = minutes(from)
	q.to, errs[1] = minutes(to)
	if !ok || errs[0] != nil || errs[1] != nil || q.from == q.to {
		return Quiet{}, fmt.Errorf("%.60q is not a window and a time zone such as 22:00-07:00 Europe/Berlin", s)
	}
	zone = strings.TrimSpace(zone)
	if zone == "" || zone == "Local" {
		return Quiet{}, fmt.Errorf("%.60q names no time zone, such as Europe/Berlin or America/New_York", s)
	}
	var err error
	if q.zone, err = time.LoadLocation(zone); err != nil {
		return Quiet{}, fmt.Errorf("%.40q is no time zone, such as Europe/Berlin", zone)
	}
	return q, nil
}

// minutes reads HH:MM.
func minutes(s string) (int, error) {
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, fmt.Errorf("%.20q is no time such as 07:00", s)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// At reports whether t is in the window: whether the zone's clocks, when it is
// t, show a time from its beginning until before its end. Where they are set
// back, a time comes twice, and both count; a time that is left out does not.
func (q Quiet) At(t time.Time) bool {
	if q.zone == nil {
		return false
	}
	local := t.In(q.zone)
	m := local.Hour()*60 + local.Minute()
	if q.from < q.to {
		return q.from <= m && m < q.to
	}
	return m >= q.from || m < q.to
}

// Ends returns the first instant from t on that is not in the window.
func (q Quiet) Ends(t time.Time) time.Time {
	if !q.At(t) {
		return t
	}
	// Clocks are set at whole minutes; by looking at each, no rule of any zone
	// needs to be known. A window has at most 1,439 of them.
	for t = t.Truncate(time.Minute); q.At(t); {
		t = t.Add(time.Minute)
	}
	return t
}
