// Package secret holds texts that must not be shown, and takes them out of what
// is about to be.
//
// It promises that a [Text] never prints itself, however it is formatted,
// logged or encoded, and that a [Redactor] finds the words that it was given in
// what passes through it, also when an URL, JSON or a quoted text spells them
// in another way. It does not find a secret that nobody gave it, nor one that
// was cut in two.
package secret

import "log/slog"

// Hidden stands where a secret would be shown.
const Hidden = "(hidden)"

// Text is a secret as a configuration gives it. The zero value is none. Its
// characters are behind a pointer, so that formatting a struct that has one
// in an unexported field shows an address at most.
type Text struct{ of *string }

// New returns the secret of a text; an empty one is none.
func New(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{&s}
}

// Reveal returns the text itself: for whoever it is meant for, and nobody else.
func (t Text) Reveal() string {
	if t.of == nil {
		return ""
	}
	return *t.of
}

// Set reports whether there is a secret.
func (t Text) Set() bool { return t.of != nil }

// String is [Hidden], or empty when there is none.
func (t Text) String() string {
	if t.of == nil {
		return ""
	}
	return Hidden
}

// GoString is the same for %#v.
func (t Text) GoString() string { return t.String() }

// LogValue is the same for a log.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText is the same for JSON and for lists of settings.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a secret. It refuses nothing: an error would quote it.
func (t *Text) UnmarshalText(b []byte) error {
	*t = New(string(b))
	return nil
}
