package post

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	shout "github.com/nicholas-fedor/shoutrrr/pkg/services/email/smtp"
)

// maxSend bounds a mail's sending where the context has no deadline.
const maxSend = time.Minute

// encodeWord makes a text fit for a header (RFC 2047), which ntfy reads as well.
func encodeWord(s string) string { return mime.QEncoding.Encode("utf-8", s) }

// mailTarget makes one mail to all recipients.
func mailTarget(u *url.URL) ([]Target, error) {
	var s shout.Service
	if err := s.Initialize(u, nil); err != nil {
		return nil, err
	}
	cfg := s.Config
	cfg.FixEmailTags()
	switch {
	case cfg.SkipTLSVerify:
		return nil, errors.New("skiptlsverify would give the password to anybody; give this machine the server's authority (SSL_CERT_FILE)")
	case cfg.Host == "":
		return nil, errors.New("no host, such as mail.example.org:587")
	case cfg.Auth == shout.AuthTypes.OAuth2:
		return nil, errors.New("auth OAuth2 is not taken, since its token ends within the hour; use a password for applications")
	}
	for _, a := range append([]string{cfg.FromAddress}, cfg.ToAddresses...) {
		if _, err := mail.ParseAddress(a); err != nil {
			return nil, errors.New("an address is none such as name@example.org")
		}
	}
	return []Target{{
		Name: "mail", Where: net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))),
		Plain: !local(cfg.Host) && (cfg.Encryption == shout.EncMethods.None || !cfg.UseStartTLS && !implicit(cfg)),
		send: func(ctx context.Context, _ *http.Client, m Message) error {
			return sendMail(ctx, cfg, m)
		},
	}}, nil
}

// implicit reports whether TLS begins with the connection.
func implicit(cfg *shout.Config) bool {
	switch cfg.Encryption {
	case shout.EncMethods.ImplicitTLS:
		return true
	case shout.EncMethods.Auto:
		return cfg.Port == 465
	}
	return false
}

// sendMail makes a connection, which ends with ctx, and delivers one mail.
func sendMail(ctx context.Context, cfg *shout.Config, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, maxSend)
	defer cancel()
	var d net.Dialer // a mail server's: no gateway's port comes here
	line, err := d.DialContext(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))))
	if err != nil {
		return err
	}
	defer line.Close() // again after Quit, which does no harm
	if at, ok := ctx.Deadline(); ok {
		if err := line.SetDeadline(at); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = line.SetDeadline(time.Unix(1, 0)) }) // wakes who waits
	defer stop()
	conn := line // or TLS over it; what wakes, on another goroutine, knows the line alone
	secure := &tls.Config{ServerName: cfg.Host, MinVersion: tls.VersionTLS12}
	if implicit(cfg) {
		conn = tls.Client(conn, secure)
	}
	c, err := smtp.NewClient(conn, cfg.Host)
	if err != nil {
		return mailError("greeting", err)
	}
	host := cfg.ClientHost
	if host == "" || host == "auto" {
		host = "localhost"
	}
	if err := c.Hello(host); err != nil {
		return mailError("EHLO", err)
	}
	if cfg.UseStartTLS && !implicit(cfg) && cfg.Encryption != shout.EncMethods.None {
		if ok, _ := c.Extension("STARTTLS"); ok {
			if err := c.StartTLS(secure); err != nil {
				return mailError("STARTTLS", err)
			}
		} else if cfg.RequireStartTLS || cfg.Encryption == shout.EncMethods.ExplicitTLS {
			return &Error{Text: "the server offers no STARTTLS, and the URL requires it", Kind: ErrNotTaken}
		}
	}
	if err := authenticate(c, cfg); err != nil {
		return err
	}
	return deliver(c, cfg, m)
}

func authenticate(c *smtp.Client, cfg *shout.Config) error {
	var a smtp.Auth
	switch cfg.Auth {
	case shout.AuthTypes.Plain:
		a = smtp.PlainAuth("", cfg.Username, cfg.Password, cfg.Host)
	case shout.AuthTypes.CRAMMD5:
		a = smtp.CRAMMD5Auth(cfg.Username, cfg.Password)
	default:
		return nil
	}
	if err := c.Auth(a); err != nil {
		return mailError("log-in", err)
	}
	return nil
}

// deliver sends the mail to all recipients that the server takes; it fails when
// there is none.
func deliver(c *smtp.Client, cfg *shout.Config, m Message) error {
	if err := c.Mail(cfg.FromAddress); err != nil {
		return mailError("the sender", err)
	}
	taken := 0
	var refused error
	for _, to := range cfg.ToAddresses {
		if err := c.Rcpt(to); err != nil {
			refused = mailError("a recipient", err)
			continue
		}
		taken++
	}
	if taken == 0 {
		return refused
	}
	w, err := c.Data()
	if err != nil {
		return mailError("DATA", err)
	}
	text, err := letter(cfg, m)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return mailError("the text", err)
	}
	if err := w.Close(); err != nil {
		return mailError("the text", err)
	}
	_ = c.Quit() // the mail is taken: how the server closes does not matter
	return nil
}

// letter is the mail with its headers.
func letter(cfg *shout.Config, m Message) ([]byte, error) {
	from := mail.Address{Name: cfg.FromName, Address: cfg.FromAddress}
	to := make([]string, len(cfg.ToAddresses))
	for i, a := range cfg.ToAddresses {
		to[i] = (&mail.Address{Address: a}).String()
	}
	at := m.At
	if at.IsZero() {
		at = time.Now()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\n", from.String(), strings.Join(to, ", "), encodeWord(m.Title), at.Format(time.RFC1123Z))
	_, domain, _ := strings.Cut(cfg.FromAddress, "@")
	fmt.Fprintf(&b, "Message-ID: <%s@%s>\r\n", rand.Text(), domain)
	if m.Urgent {
		b.WriteString("Importance: high\r\nX-Priority: 1\r\n")
	}
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(&b)
	if _, err := w.Write([]byte(strings.ReplaceAll(m.Text, "\n", "\r\n") + "\r\n")); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

// mailError says at what step a mail failed. A code of 500 and more is final.
func mailError(step string, err error) error {
	var p *textproto.Error
	if !errors.As(err, &p) {
		if ne := net.Error(nil); errors.As(err, &ne) {
			return err // of the network: later may do
		}
		return &Error{Text: fmt.Sprintf("%s: %.200s", step, err.Error())}
	}
	e := &Error{Text: fmt.Sprintf("%s: it answers %d %s", step, p.Code, words([]byte(p.Msg)))}
	if p.Code >= 500 {
		e.Kind = ErrNotTaken
	}
	return e
}
