package alert

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"robotrader/services/alert/post"
	"robotrader/services/secret"
)

// Config says whom to tell, and how much. Secrets are the URLs: they come from
// a file, the environment or systemd's credentials, and there is no flag for
// them, because a command line is seen by everybody on the machine.
type Config struct {
	// URLs are the places to tell, as service URLs of shoutrrr. A comma inside
	// one is written %2C. Default none.
	URLs []secret.Text `koanf:"urls"`
	// URLsFile is a file with further ones, one a line; a # begins a comment.
	// Default "": the file alert_urls in $CREDENTIALS_DIRECTORY, where it is.
	URLsFile string `koanf:"urls_file"`
	// Name says in each title which trader this is. Default "": the machine's
	// name.
	Name string `koanf:"name"`
	// Urgent are the kinds that are heard in quiet hours, and for which a third
	// of the hour's budget is kept. Default: not_ready, needs_restart, refused,
	// second_factor, mode, flatten, finding, naked, risk_hit, journal,
	// component.
	Urgent []string `koanf:"urgent"`
	// Off are the kinds of which nothing is told. Default none.
	Off []string `koanf:"off"`
	// QuietHours is a window of each day with its time zone, such as
	// "22:00-07:00 Europe/Berlin", in which only urgent kinds are told; the
	// rest is summed up at its end. Default "": none.
	QuietHours string `koanf:"quiet_hours"`
	// Burst is how many messages of one kind may leave at once. Default 3: it
	// began, it changed, it is over.
	Burst int `koanf:"burst"`
	// Gap is how long, after a burst, each further message of the kind waits.
	// Default 1 minute.
	Gap time.Duration `koanf:"gap"`
	// PerHour is how many messages an hour may have, of all kinds; the hour
	// begins with its first message. The rest is held back and summed up in one
	// message at its end; but an urgent kind that was not heard in the hour is
	// heard once. Default 30.
	PerHour int `koanf:"per_hour"`
	// Timeout bounds one attempt to deliver. Default 10 s.
	Timeout time.Duration `koanf:"timeout"`
	// RetryFor is how long delivery is tried again. Default 15 minutes.
	RetryFor time.Duration `koanf:"retry_for"`
	// RiskNear is how much of a limit in percent makes it nearly used up.
	// Default 80.
	RiskNear int `koanf:"risk_near"`
	// DiskFree is how many MiB the data folder's disk must have free. Default
	// 512.
	DiskFree int `koanf:"disk_free"`
	// HeartbeatURL is asked for at intervals while the trader is well, and with
	// "/fail" behind its path while it is not, as healthchecks.io takes it.
	// Default none.
	HeartbeatURL secret.Text `koanf:"heartbeat_url"`
	// HeartbeatURLFile is a file that holds it. Default "": the file
	// heartbeat_url in $CREDENTIALS_DIRECTORY, where it is.
	HeartbeatURLFile string `koanf:"heartbeat_url_file"`
	// HeartbeatEvery is the interval. Default 1 minute.
	HeartbeatEvery time.Duration `koanf:"heartbeat_every"`
	// HeartbeatFail says trouble with "/fail"; without it, trouble is silence.
	// Default true.
	HeartbeatFail bool `koanf:"heartbeat_fail"`
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config {
	return Config{
		Urgent: urgentKinds(), Burst: 3, Gap: time.Minute, PerHour: 30,
		Timeout: 10 * time.Second, RetryFor: 15 * time.Minute, RiskNear: 80, DiskFree: 512,
		HeartbeatEvery: time.Minute, HeartbeatFail: true,
	}
}

// Validate returns all that is wrong with the configuration, joined. It reads
// no file: see [Config.Read].
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	for key, list := range map[string][]string{"urgent": c.Urgent, "off": c.Off} {
		for _, name := range list {
			if !known(name) {
				bad("alert.%s: %.40q is no kind of alert; those are %s", key, name, names())
			}
		}
	}
	if _, err := ParseQuiet(c.QuietHours); err != nil {
		bad("alert.quiet_hours: %w", err)
	}
	if len(c.Name) > 60 || strings.ContainsAny(c.Name, "\r\n") {
		bad("alert.name: %.40q is not one line of at most 60 bytes", c.Name)
	}
	for _, n := range []struct {
		key              string
		value, low, high int
		unit             string
	}{
		{"burst", c.Burst, 1, 20, "messages"},
		{"per_hour", c.PerHour, 3, 600, "messages"},
		{"risk_near", c.RiskNear, 1, 100, "percent; to be without it, put risk_near into alert.off"},
		{"disk_free", c.DiskFree, 1, 1 << 20, "MiB; to be without it, put disk into alert.off"},
	} {
		if n.value < n.low || n.value > n.high {
			bad("alert.%s: %d is not between %d and %d %s", n.key, n.value, n.low, n.high, n.unit)
		}
	}
	for _, d := range []struct {
		key              string
		value, low, high time.Duration
	}{
		{"gap", c.Gap, time.Second, time.Hour},
		{"timeout", c.Timeout, time.Second, time.Minute},
		{"retry_for", c.RetryFor, time.Second, 24 * time.Hour},
		{"heartbeat_every", c.HeartbeatEvery, time.Second, time.Hour},
	} {
		if d.value < d.low || d.value > d.high {
			bad("alert.%s: %v is not between %v and %v", d.key, d.value, d.low, d.high)
		}
	}
	return errors.Join(errs...)
}

func names() string {
	var list []string
	for _, k := range Kinds() {
		list = append(list, string(k))
	}
	return strings.Join(list, ", ")
}

// Places are what the secrets of a configuration lead to.
type Places struct {
	Targets   []post.Target
	Heartbeat string // URL, "" for none
	// Secrets are the words that must not be shown.
	Secrets []string
	// Warnings are what a person should know about them, without a secret.
	Warnings []string
}

// The names of systemd's credentials.
const (
	urlsCredential      = "alert_urls"
	heartbeatCredential = "heartbeat_url"
)

// maxSecrets bounds a file of secrets.
const maxSecrets = 64 << 10

// Read reads the files that the configuration names and returns where to tell,
// or all that is wrong, without a secret. Credentials is the folder that
// systemd gives to the service, "" for none.
func (c Config) Read(credentials string) (Places, error) {
	var p Places
	var errs []error
	var urls []string
	for _, u := range c.URLs {
		urls = append(urls, u.Reveal())
	}
	lines, err := c.lines("alert.urls_file", c.URLsFile, credentials, urlsCredential, &p)
	urls, errs = append(urls, lines...), append(errs, err)
	for _, u := range urls {
		p.Secrets = append(p.Secrets, secret.InURL(u)...)
	}
	if p.Targets, err = post.Parse(urls); err != nil {
		errs = append(errs, prefixed("alert.urls: ", err)...)
	}
	beats := []string{c.HeartbeatURL.Reveal()}
	if !c.HeartbeatURL.Set() {
		beats, err = c.lines("alert.heartbeat_url_file", c.HeartbeatURLFile, credentials, heartbeatCredential, &p)
		errs = append(errs, err)
	}
	if len(beats) > 0 && beats[0] != "" {
		p.Heartbeat = beats[0]
		p.Secrets = append(p.Secrets, secret.InURL(p.Heartbeat)...)
		errs = append(errs, heartbeatFault(p.Heartbeat))
	}
	for _, t := range p.Targets {
		if t.Plain {
			p.Warnings = append(p.Warnings, fmt.Sprintf("alert.urls: messages and their token go to %s without encryption", t.Where))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Places{Secrets: p.Secrets}, err
	}
	return p, nil
}

// lines returns the lines of a file of secrets: of the one that is named, or of
// the credential where there is one.
func (c Config) lines(key, path, credentials, credential string, p *Places) ([]string, error) {
	given := path != ""
	if !given && credentials != "" {
		path = filepath.Join(credentials, credential)
	}
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && !given:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w; name a file that the trader's user can read", key, err)
	case !info.Mode().IsRegular() || info.Size() > maxSecrets:
		return nil, fmt.Errorf("%s: %s is not a file of at most 64 KiB", key, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; name a file that the trader's user can read", key, err)
	}
	if info.Mode().Perm()&0o004 != 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s: %s can be read by everybody on this machine; chmod 600 it", key, path))
	}
	var list []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list, nil
}

// heartbeatFault says what is wrong with a heartbeat's URL, without showing it.
func heartbeatFault(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("alert.heartbeat_url: it is no URL such as https://hc-ping.com/UUID")
	case slices.Contains([]string{"4001", "4002", "7496", "7497"}, u.Port()):
		return fmt.Errorf("alert.heartbeat_url: port %s is the broker's gateway's, and a stranger's connection makes it hang", u.Port())
	}
	return nil
}

// prefixed puts a key before each of the errors that are joined in err.
func prefixed(key string, err error) []error {
	var list []error
	for line := range strings.SplitSeq(err.Error(), "\n") {
		list = append(list, errors.New(key+line))
	}
	return list
}
