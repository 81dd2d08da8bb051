package telemetry

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestLogHidesSecrets(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		log := NewLogger(&b, format, slog.LevelInfo)
		log.With("api_token", "s3cret1").Info("http_request", "Authorization", "Bearer s3cret2", "path", "/ws",
			slog.Group("tls", "password", "s3cret3", "name", "n1"), slog.Group("credentials", "user", "s3cret4"))
		log.Debug("quiet")
		out := b.String()
		if strings.Contains(out, "s3cret") || strings.Count(out, Redacted) != 4 {
			t.Errorf("%s: %s", format, out)
		}
		for _, part := range []string{"http_request", "/ws", "n1"} {
			if !strings.Contains(out, part) {
				t.Errorf("%s lacks %s: %s", format, part, out)
			}
		}
		if json := strings.HasPrefix(out, "{"); json != (format == "json") || strings.Contains(out, "quiet") {
			t.Errorf("%s at level info: %s", format, out)
		}
	}
}
