package telemetry

import (
	"io"
	"log/slog"
	"slices"
	"strings"
)

// Redacted stands in a log where a secret was.
const Redacted = "[redacted]"

// secretWords make an attribute a secret when its name holds one of them.
var secretWords = [...]string{"token", "password", "passwd", "secret", "authorization", "cookie", "credential", "api_key", "apikey"}

// NewLogger returns a logger that writes to w, as JSON when format is "json"
// and as text otherwise. Values of attributes whose name, or whose group's
// name, tells of a secret are written as [Redacted]. A secret inside a
// sentence is not found.
func NewLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: redact}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func redact(groups []string, a slog.Attr) slog.Attr {
	if secret(a.Key) || slices.ContainsFunc(groups, secret) {
		return slog.String(a.Key, Redacted)
	}
	return a
}

func secret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretWords[:], func(w string) bool { return strings.Contains(name, w) })
}
