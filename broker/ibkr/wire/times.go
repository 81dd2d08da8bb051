package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Why a time cannot be read.
var (
	ErrNotTime  = errors.New("not a time")
	ErrTimeZone = errors.New("time zone is not known")
)

// ParseTime reads a time as venues write it:
//
//	20260413 15:27:04 US/Eastern    with a zone; blanks may be two, the zone may hold some
//	20260413  15:27:04              without one: in fallback
//	20250225-15:15:00               with a dash it is UTC
//	20260413                        a day: its midnight in fallback
//	1775425766                      seconds since 1970, nine to eleven digits
//
// Zones are names of the IANA database, and what Java calls the usual ones,
// such as EST or "Central European Summer Time"; US abbreviations mean the
// zone of that place, so EST in July is New York's time. A nil fallback makes a
// text that needs it an error. Looking up another zone than fallback reads the
// zone database: who parses thousands of bars passes their zone as fallback.
//
// The error names the text and wraps [ErrNotTime] or [ErrTimeZone]. A zone
// nobody can translate is normal in the greeting of a gateway; keep the text.
func ParseTime(text string, fallback *time.Location) (time.Time, error) {
	if digits(text) {
		return parseDigits(text, fallback)
	}
	if len(text) < len("20060102-15:04:05") || !digits(text[:8]) {
		return time.Time{}, timeError(text, ErrNotTime)
	}
	clock, zone := text[9:], fallback
	switch text[8] {
	case '-':
		zone = time.UTC
	case ' ':
		clock = strings.TrimLeft(clock, " ")
	default:
		return time.Time{}, timeError(text, ErrNotTime)
	}
	const layout = "15:04:05"
	if len(clock) > len(layout) {
		if clock[len(layout)] != ' ' {
			return time.Time{}, timeError(text, ErrNotTime)
		}
		if name := strings.Trim(clock[len(layout):], " "); name != "" {
			var err error
			if zone, err = loadZone(name, fallback); err != nil {
				return time.Time{}, timeError(text, err)
			}
		}
		clock = clock[:len(layout)]
	}
	if zone == nil {
		return time.Time{}, timeError(text, ErrTimeZone)
	}
	t, err := time.ParseInLocation("20060102 "+layout, text[:8]+" "+clock, zone)
	if err != nil {
		return time.Time{}, timeError(text, ErrNotTime)
	}
	return t, nil
}

// parseDigits reads a day, or seconds since 1970.
func parseDigits(text string, fallback *time.Location) (time.Time, error) {
	switch len(text) {
	case 8:
		if fallback == nil {
			return time.Time{}, timeError(text, ErrTimeZone)
		}
		if t, err := time.ParseInLocation("20060102", text, fallback); err == nil {
			return t, nil
		}
	case 9, 10, 11:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			break
		}
		if fallback == nil {
			fallback = time.UTC
		}
		return time.Unix(n, 0).In(fallback), nil
	}
	return time.Time{}, timeError(text, ErrNotTime)
}

func timeError(text string, err error) error {
	return fmt.Errorf("wire: time %.60q: %w", text, err)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// ParseZone returns the zone that a venue calls name, with the rules of
// [ParseTime]; it is known itself when that is the one, which costs no look-up.
// The error names the zone and wraps [ErrTimeZone].
func ParseZone(name string, known *time.Location) (*time.Location, error) {
	zone, err := loadZone(name, known)
	if err != nil {
		return nil, fmt.Errorf("wire: zone %.60q: %w", name, err)
	}
	return zone, nil
}

func loadZone(name string, known *time.Location) (*time.Location, error) {
	iana := zoneName(name)
	if known != nil && known.String() == iana {
		return known, nil
	}
	// "Local" would be this machine's zone, which the venue cannot mean.
	if iana == "" || len(iana) > 64 || iana == "Local" {
		return nil, ErrTimeZone
	}
	zone, err := time.LoadLocation(iana)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTimeZone, err)
	}
	return zone, nil
}

// zoneName translates what Java prints into the IANA database's names. CST is
// Chicago's here: the exchanges that print it are American.
func zoneName(name string) string {
	switch name {
	case "US/Eastern", "EST", "EDT", "EST5EDT", "Eastern Standard Time", "Eastern Daylight Time", "Eastern Time":
		return "America/New_York"
	case "US/Central", "CST", "CDT", "CST6CDT", "Central Standard Time", "Central Daylight Time", "Central Time":
		return "America/Chicago"
	case "US/Mountain", "MST", "MDT", "MST7MDT", "Mountain Standard Time", "Mountain Daylight Time":
		return "America/Denver"
	case "US/Pacific", "PST", "PDT", "PST8PDT", "Pacific Standard Time", "Pacific Daylight Time", "Pacific Time":
		return "America/Los_Angeles"
	case "GMT", "Z", "Etc/UTC", "Greenwich Mean Time", "Coordinated Universal Time":
		return "UTC"
	case "GB", "GB-Eire", "BST", "British Summer Time":
		return "Europe/London"
	case "WEST", "Western European Time", "Western European Standard Time", "Western European Summer Time":
		return "Europe/Lisbon"
	case "MET", "CET", "CEST", "MEZ", "MESZ", "Central European Time", "Central European Standard Time", "Central European Summer Time":
		return "Europe/Berlin"
	case "EET", "EEST", "Eastern European Time", "Eastern European Standard Time", "Eastern European Summer Time":
		return "Europe/Helsinki"
	case "JST", "Japan", "Japan Standard Time":
		return "Asia/Tokyo"
	case "HKT", "Hongkong", "Hong Kong Time", "Hong Kong Standard Time":
		return "Asia/Hong_Kong"
	case "China Standard Time", "中国标准时间":
		return "Asia/Shanghai"
	case "SGT", "Singapore Time", "Singapore Standard Time":
		return "Asia/Singapore"
	case "AEST", "AEDT", "Australian Eastern Standard Time", "Australian Eastern Daylight Time":
		return "Australia/Sydney"
	}
	return name
}
