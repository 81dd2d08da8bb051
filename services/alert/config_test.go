package alert

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robotrader/services/secret"
)

func TestConfigFaults(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		`alert.urgent: "modes" is no kind of alert`: func(c *Config) { c.Urgent = []string{"modes"} },
		`alert.off: "x" is no kind of alert`:        func(c *Config) { c.Off = []string{"x"} },
		`alert.quiet_hours: "22-7" is not a window`: func(c *Config) { c.QuietHours = "22-7" },
		"alert.name:":                                       func(c *Config) { c.Name = "a\nb" },
		"alert.burst: 0 is not between 1 and 20":            func(c *Config) { c.Burst = 0 },
		"alert.per_hour: 2 is not between 3 and 600":        func(c *Config) { c.PerHour = 2 },
		"alert.risk_near: 101 is not between 1 and 100":     func(c *Config) { c.RiskNear = 101 },
		"put disk into alert.off":                           func(c *Config) { c.DiskFree = 0 },
		"alert.gap: 0s is not between 1s and 1h0m0s":        func(c *Config) { c.Gap = 0 },
		"alert.timeout: 2m0s is not between 1s and 1m0s":    func(c *Config) { c.Timeout = 2 * time.Minute },
		"alert.retry_for: 0s":                               func(c *Config) { c.RetryFor = 0 },
		"alert.heartbeat_every: 1ms is not between 1s and ": func(c *Config) { c.HeartbeatEvery = time.Millisecond },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

func write(t *testing.T, dir, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// The secrets come from the configuration, files and systemd's credentials; all
// that is wrong is told at once, without showing any of them.
func TestReadSecrets(t *testing.T) {
	dir := t.TempDir()
	c := DefaultConfig()
	if p, err := c.Read(""); err != nil || len(p.Targets) != 0 || p.Heartbeat != "" || len(p.Secrets) != 0 {
		t.Errorf("without any: %+v, %v", p, err)
	}
	if p, err := c.Read(filepath.Join(dir, "no such folder")); err != nil || len(p.Targets) != 0 {
		t.Errorf("without credentials: %+v, %v", p, err)
	}
	write(t, dir, "alert_urls", "# phones\n\nntfy://ntfy.sh/topic-of-credentials\n", 0o400)
	write(t, dir, "heartbeat_url", "https://hc-ping.com/uuid-of-credentials\n", 0o400)
	p, err := c.Read(dir)
	if err != nil || len(p.Targets) != 1 || p.Heartbeat != "https://hc-ping.com/uuid-of-credentials" || len(p.Warnings) != 0 {
		t.Errorf("credentials: %+v, %v", p, err)
	}
	c.URLs = []secret.Text{secret.New("ntfy://10.0.0.7/topic-of-config?scheme=http")}
	c.URLsFile = write(t, dir, "urls", "telegram://110201543:AAHdqTcvCH1vGWJx@telegram?chats=1,2\n", 0o644)
	if err := os.Chmod(c.URLsFile, 0o644); err != nil { // whatever the umask
		t.Fatal(err)
	}
	c.HeartbeatURL = secret.New("https://hc-ping.com/uuid-of-config")
	p, err = c.Read(dir)
	if err != nil || len(p.Targets) != 3 || p.Heartbeat != "https://hc-ping.com/uuid-of-config" || len(p.Warnings) != 2 {
		t.Errorf("all of them: %+v, %v", p, err)
	}
	var r secret.Redactor
	r.Add(p.Secrets...)
	if got := r.Text("topic-of-config AAHdqTcvCH1vGWJx uuid-of-config"); strings.Contains(got, "of") || strings.Contains(got, "AAH") {
		t.Errorf("not among the secrets: %s", got)
	}
	if shown := fmt.Sprintf("%v %+v %s", c, c, p.Warnings); strings.Contains(shown, "of-config") || strings.Contains(shown, "AAH") {
		t.Errorf("shown: %s", shown)
	}

	c.URLs = append(c.URLs, secret.New("nfty://ntfy.sh/topic-of-config"))
	c.URLsFile = filepath.Join(dir, "not there")
	c.HeartbeatURL = secret.New("hc-ping.com/uuid-of-config")
	_, err = c.Read(dir)
	for _, want := range []string{`alert.urls: URL 2: service "nfty" is none of`, "alert.urls_file: stat", "alert.heartbeat_url: it is no URL such as"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "of-config") {
		t.Errorf("a secret is shown: %v", err)
	}
	c = DefaultConfig()
	c.HeartbeatURLFile = write(t, dir, "beat", "http://127.0.0.1:4001/uuid", 0o600)
	if _, err := c.Read(""); err == nil || !strings.Contains(err.Error(), "the broker's gateway's") {
		t.Errorf("a heartbeat to a gateway: %v", err)
	}
	c.HeartbeatURLFile = dir
	if _, err := c.Read(""); err == nil || !strings.Contains(err.Error(), "is not a file of at most") {
		t.Errorf("a folder: %v", err)
	}
}
