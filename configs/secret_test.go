package configs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A secret of the configuration is read from file and environment, and shown by
// nothing that shows a configuration, nor by a fault.
func TestSecretsAreReadAndNotShown(t *testing.T) {
	const a, b, beat = "ntfy://u:hunter2@ntfy.sh/topic-a", "ntfy://ntfy.sh/topic-b", "https://hc-ping.com/uuid-c"
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("alert:\n  urls: ["+a+", \""+b+"\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load([]string{"--config", file, "AAPL"}, []string{"TRADER_ALERT__HEARTBEAT_URL=" + beat})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Alert.URLs) != 2 || cfg.Alert.URLs[0].Reveal() != a || cfg.Alert.URLs[1].Reveal() != b || cfg.Alert.HeartbeatURL.Reveal() != beat {
		t.Fatal("not as it was written")
	}
	env, err := Load([]string{"AAPL"}, []string{"TRADER_ALERT__URLS=" + a + "," + b})
	if err != nil || len(env.Alert.URLs) != 2 || env.Alert.URLs[1].Reveal() != b {
		t.Fatalf("from the environment: %d, %v", len(env.Alert.URLs), err)
	}
	settings, err := json.Marshal([]any{cfg.Settings(), cfg.Harmless()})
	if err != nil {
		t.Fatal(err)
	}
	_, fault := Load([]string{"--config", file, "AAPL"}, []string{"TRADER_ALERT__HEARTBEAT_URL=" + beat, "TRADER_ALERT__PER_HOUR=x"})
	if !errors.Is(fault, ErrConfig) {
		t.Errorf("error %v", fault)
	}
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v", cfg, cfg.Alert, cfg.Alert), string(settings), fault.Error()} {
		for _, s := range []string{"hunter2", "topic-a", "topic-b", "uuid-c"} {
			if strings.Contains(shown, s) {
				t.Errorf("%s is shown: %s", s, shown)
			}
		}
	}
	for _, s := range cfg.Settings() {
		if (s.Key == "alert.urls" || s.Key == "alert.heartbeat_url") && (s.Value == "" || s.Default) {
			t.Errorf("%+v does not say that it is set", s)
		}
	}
}
