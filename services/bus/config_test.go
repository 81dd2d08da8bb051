package bus

import (
	"strings"
	"testing"
	"time"
)

func TestConfigTellsAllFaults(t *testing.T) {
	base := DefaultConfig()
	if err := base.Validate(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		change func(*Config)
		want   []string // in the error; none = legal
	}{
		{func(c *Config) { c.URL, c.UserFile = "nats://127.0.0.1:4222, nats://localhost:4223", "f" }, nil},
		{func(c *Config) { c.URL, c.Token = "tls://bus.example:4222", "t" }, nil},
		{func(c *Config) {
			c.URL, c.CredsFile, c.TLSCA, c.TLSCert, c.TLSKey = "tls://bus.example:4222", "c", "ca", "crt", "key"
		}, nil},
		{func(c *Config) { c.Listen, c.UsersFile = "127.0.0.1:0", "u" }, nil},
		{func(c *Config) {
			c.Listen, c.UsersFile, c.TLSCert, c.TLSKey, c.TLSCA = "0.0.0.0:4223", "u", "c", "k", "ca"
		}, nil},
		{func(c *Config) { c.URL, c.Listen, c.Instance = "nats://h:4222", ":4222", "a.b" }, []string{
			"bus.url", "not a loopback address", "tls://h:4222", "needs exactly one of", "bus.listen", "there is a bus.url", "bus.users_file", "bus.instance",
		}},
		{func(c *Config) { c.URL = "http://h" }, []string{"bus.url", "nats://127.0.0.1:4222"}},
		{func(c *Config) { c.URL = "" }, []string{"bus.url", "embedded"}},
		{func(c *Config) { c.URL, c.UserFile, c.Token = "nats://127.0.0.1:1", "f", "t" }, []string{"and has 2"}},
		{func(c *Config) { c.URL, c.UserFile, c.TLSCert = "tls://h:1", "f", "c" }, []string{"go together"}},
		{func(c *Config) { c.URL = "nats://me:hunter2@127.0.0.1:4222" }, []string{"process lists", "(hidden)@127.0.0.1"}},
		{func(c *Config) { c.Listen, c.UsersFile = "me:hunter2@127.0.0.1", "u" }, []string{"bus.listen", "no port", "(hidden)@"}},
		{func(c *Config) { c.Listen, c.UsersFile = "127.0.0.1:many", "u" }, []string{"no port"}},
		{func(c *Config) { c.Listen = "127.0.0.1:4223" }, []string{"nobody may join without credentials"}},
		{func(c *Config) { c.Listen, c.UsersFile = "0.0.0.0:4223", "u" }, []string{"needs TLS"}},
		{func(c *Config) { c.Listen, c.UsersFile = "bus.example:4223", "u" }, []string{"needs TLS"}},
		{func(c *Config) { c.Listen, c.UsersFile, c.TLSCA = "127.0.0.1:4223", "u", "ca" }, []string{"client certificates need"}},
		{func(c *Config) { c.UsersFile, c.Token = "u", "hunter2" }, []string{"bus.users_file", "bus.token", "does not listen"}},
		{func(c *Config) { c.Instance = "accounts" }, []string{"bus.instance"}},
		{func(c *Config) { c.MaxRequestAge, c.RequestsPerSecond = time.Hour, 0 }, []string{"bus.max_request_age", "bus.requests_per_second"}},
	} {
		c := base
		tt.change(&c)
		err := c.Validate()
		if (err != nil) != (len(tt.want) > 0) {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error %q does not say %q", err, part)
			}
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %q shows a password", err)
		}
	}
	bad := base
	bad.URL = "nats://h:4222"
	if _, err := Start(bad); err == nil {
		t.Error("started with a bad configuration")
	}
}
