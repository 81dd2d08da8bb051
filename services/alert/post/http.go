package post

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/slack"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ntfy"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/generic"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

const (
	// maxAnswer bounds what is read of a service's answer.
	maxAnswer = 64 << 10
	// maxAfter bounds how long a service may ask to be left alone.
	maxAfter = 5 * time.Minute
)

// NewClient returns a client for targets: no redirect is followed and no
// connection kept, since an alert is rare. The environment's proxy is used.
func NewClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask posts a body and returns the answer's, or why the message was not taken.
func ask(ctx context.Context, c *http.Client, method, to string, body []byte, header http.Header) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the URL makes no request") // err quotes it
	}
	req.Header = header
	req.Header.Set("User-Agent", "robotrader")
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	return answer, judge(res, answer)
}

// judge returns what a status means for the message, nil for success.
func judge(res *http.Response, answer []byte) error {
	code := res.StatusCode
	if code >= 200 && code < 300 {
		return nil
	}
	e := &Error{Text: fmt.Sprintf("it answers %d %s", code, http.StatusText(code))}
	if said := words(answer); said != "" {
		e.Text += ": " + said
	}
	switch {
	case code >= 300 && code < 400:
		e.Kind, e.Text = ErrNotTaken, e.Text+"; redirects are not followed: configure the address where it really is"
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && n > 0 {
			e.After = min(time.Duration(n)*time.Second, maxAfter)
		}
	case code == http.StatusRequestTimeout, code >= 500:
	default:
		e.Kind = ErrNotTaken
	}
	return e
}

// words is what a service says about a failure, as one short line.
func words(answer []byte) string {
	var told struct {
		Description string `json:"description"` // Telegram
		Error       string `json:"error"`       // ntfy, Slack
	}
	text := string(answer)
	if json.Unmarshal(answer, &told) == nil && told.Description+told.Error != "" {
		text = told.Description + told.Error
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	return cut(strings.Join(strings.Fields(text), " "), 200)
}

func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

// telegramTargets makes a target of each chat, so that one that fails does not
// make another get the message twice.
func telegramTargets(u *url.URL) ([]Target, error) {
	var s telegram.Service
	switch err := s.Initialize(u, nil); {
	case errors.Is(err, telegram.ErrInvalidToken): // its text quotes the token
		return nil, errors.New("the token before the @ is none such as 123456789:ABCdef-ghi")
	case err != nil:
		return nil, err
	}
	cfg := s.GetConfig()
	list := make([]Target, 0, len(cfg.Chats))
	for _, chat := range cfg.Chats {
		id, thread, _ := strings.Cut(chat, ":")
		p := telegram.SendMessagePayload{ID: id, DisablePreview: !cfg.Preview}
		if n, err := strconv.Atoi(thread); err == nil {
			p.MessageThreadID = &n
		}
		token := cfg.Token
		list = append(list, Target{Name: "telegram", Where: "api.telegram.org", send: func(ctx context.Context, c *http.Client, m Message) error {
			p := p // the ids of the chat stay
			p.Text, p.DisableNotification = m.whole(), !cfg.Notification
			body, err := json.Marshal(p)
			if err != nil {
				return err
			}
			answer, err := ask(ctx, c, http.MethodPost, "https://api.telegram.org/bot"+token+"/sendMessage", body, jsonHeader())
			if err != nil {
				return err
			}
			return saidOK(answer)
		}})
	}
	return list, nil
}

// saidOK reads the ok of Telegram's and Slack's API.
func saidOK(answer []byte) error {
	var told struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	switch err := json.Unmarshal(answer, &told); {
	case err != nil:
		return &Error{Text: "it answers what is no answer: " + words(answer)}
	case told.OK:
		return nil
	case told.Error == "ratelimited":
		return &Error{Text: "it answers: ratelimited"}
	}
	return &Error{Text: "it answers: " + words(answer), Kind: ErrNotTaken}
}

func slackTarget(u *url.URL) ([]Target, error) {
	cfg, err := slack.CreateConfigFromURL(u)
	if err != nil {
		return nil, err
	}
	send := func(ctx context.Context, c *http.Client, m Message) error {
		cfg := *cfg
		cfg.Title = m.Title
		body, err := json.Marshal(slack.CreateJSONPayload(&cfg, m.Text))
		if err != nil {
			return err
		}
		to, header := cfg.Token.WebhookURL(), jsonHeader()
		api := cfg.Token.IsAPIToken()
		if api {
			to = "https://slack.com/api/chat.postMessage"
			header.Set("Authorization", cfg.Token.Authorization())
		}
		answer, err := ask(ctx, c, http.MethodPost, to, body, header)
		switch {
		case err != nil:
			return err
		case api:
			return saidOK(answer)
		case len(answer) > 0 && string(answer) != "ok":
			return &Error{Text: "it answers: " + words(answer), Kind: ErrNotTaken}
		}
		return nil
	}
	where := "hooks.slack.com"
	if cfg.Token.IsAPIToken() {
		where = "slack.com"
	}
	return []Target{{Name: "slack", Where: where, send: send}}, nil
}

func ntfyTarget(u *url.URL) ([]Target, error) {
	var s ntfy.Service
	if err := s.Initialize(u, nil); err != nil {
		return nil, err
	}
	cfg := s.Config
	switch {
	case cfg.DisableTLSVerification:
		return nil, errors.New("disabletlsverification would send the topic to anybody; give this machine the server's authority (SSL_CERT_FILE)")
	case cfg.Scheme != "http" && cfg.Scheme != "https":
		return nil, fmt.Errorf("scheme %.20q is neither http nor https", cfg.Scheme)
	case cfg.Host == "":
		return nil, errors.New("no host, such as ntfy.sh")
	}
	send := func(ctx context.Context, c *http.Client, m Message) error {
		h := http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
		for name, v := range map[string]string{
			"Title": encodeWord(m.Title), "Tags": strings.Join(cfg.Tags, ","), "Delay": cfg.Delay, "Click": cfg.Click,
			"Actions": strings.Join(cfg.Actions, ";"), "Icon": cfg.Icon, "Email": cfg.Email,
		} {
			if v != "" {
				h.Set(name, v)
			}
		}
		priority := int(cfg.Priority)
		if m.Urgent {
			priority = max(priority, 5) // rings through "do not disturb" where the phone lets it
		}
		h.Set("Priority", strconv.Itoa(priority))
		if !cfg.Cache {
			h.Set("Cache", "no")
		}
		if !cfg.Firebase {
			h.Set("Firebase", "no")
		}
		if cfg.Username != "" || cfg.Password != "" {
			r := http.Request{Header: h}
			r.SetBasicAuth(cfg.Username, cfg.Password)
		}
		_, err := ask(ctx, c, http.MethodPost, cfg.GetAPIURL(), []byte(m.Text), h)
		return err
	}
	at := url.URL{Host: cfg.Host}
	return []Target{{Name: "ntfy", Where: cfg.Host, Plain: cfg.Scheme == "http" && !local(at.Hostname()), send: send}}, nil
}

// webhookTarget posts to any URL: the text, or with template=json an object of
// title, message, kind and urgent. Query keys that begin with @ are headers,
// with $ further members of the object.
func webhookTarget(u *url.URL) ([]Target, error) {
	var s generic.Service
	if u.Scheme != "generic" { // such as generic+https
		if u.Scheme != "generic+https" && u.Scheme != "generic+http" {
			return nil, fmt.Errorf("%.20q is neither generic+https nor generic+http", u.Scheme)
		}
		var err error
		if u, err = s.GetConfigURLFromCustom(u); err != nil {
			return nil, err
		}
	}
	if err := s.Initialize(u, nil); err != nil {
		return nil, err
	}
	cfg := s.Config
	to := cfg.WebhookURL()
	switch {
	case to.Hostname() == "":
		return nil, errors.New("no host")
	case cfg.Template != "" && !strings.EqualFold(cfg.Template, "json"):
		return nil, fmt.Errorf("template %.20q is not json", cfg.Template)
	}
	header := http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
	if cfg.Template != "" {
		header.Set("Content-Type", cfg.ContentType)
	}
	for key, v := range u.Query() {
		if name, ok := strings.CutPrefix(key, "@"); ok && name != "" {
			header.Set(dashed(name), v[0])
		}
	}
	send := func(ctx context.Context, c *http.Client, m Message) error {
		params := types.Params{cfg.TitleKey: m.Title, cfg.MessageKey: m.Text, "kind": m.Kind, "urgent": strconv.FormatBool(m.Urgent)}
		if cfg.Template == "" {
			params[cfg.MessageKey] = m.whole()
		}
		body, err := s.GetPayload(cfg, params)
		if err != nil {
			return err
		}
		raw, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		_, err = ask(ctx, c, cfg.RequestMethod, to.String(), raw, header.Clone())
		return err
	}
	return []Target{{Name: "webhook", Where: to.Host, Plain: to.Scheme == "http" && !local(to.Hostname()), send: send}}, nil
}

// dashed writes a header's name as shoutrrr's URLs mean it: a capital inside
// begins a new word.
func dashed(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) && name[i-1] != '-' && !unicode.IsUpper(rune(name[i-1])) {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return http.CanonicalHeaderKey(b.String())
}
