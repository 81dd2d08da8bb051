package wire

// ReqFamilyCodes asks which accounts belong together. Its payload is its id
// and nothing else. The layouts of request and answer are from general
// knowledge, no recorded frame.
type ReqFamilyCodes struct{}

// FamilyCodes answers a [ReqFamilyCodes].
type FamilyCodes struct{ Codes []FamilyCode }

// FamilyCode is the family of one account, "" for none.
type FamilyCode struct{ Account, Code string }

// ReqSoftDollarTiers asks for the soft dollar tiers of the login. The layouts
// of request and answer are from general knowledge, no recorded frame.
type ReqSoftDollarTiers struct{ ReqID int }

// SoftDollarTiers answers a [ReqSoftDollarTiers].
type SoftDollarTiers struct {
	ReqID int
	Tiers []SoftDollarTier
}

// SoftDollarTier is one tier.
type SoftDollarTier struct{ Name, Value, DisplayName string }

// ReqUserInfo asks for [UserInfo]. Section 4.1.
type ReqUserInfo struct{ ReqID int }

// UserInfo tells whose brand the login is of, "" for the venue's own.
type UserInfo struct {
	ReqID           int
	WhiteBrandingID string
}

// ReqNewsBulletins subscribes to bulletins. The layouts of request, end and
// answer are from general knowledge, no recorded frame.
type ReqNewsBulletins struct{ All bool } // the day's earlier ones too

// CancelNewsBulletins ends a [ReqNewsBulletins].
type CancelNewsBulletins struct{}

// NewsBulletin is one bulletin.
type NewsBulletin struct {
	MsgID    int
	Kind     int // 1 regular, 2 exchange no longer available, 3 available again
	Text     string
	Exchange string // that it is about
}

// ID implements [Message].
func (ReqFamilyCodes) ID() int { return IDReqFamilyCodes }

// Append implements [Message].
func (m ReqFamilyCodes) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqFamilyCodes", m.ID())
	return w.finish()
}

func (*ReqFamilyCodes) read(*reader) {}

// ID implements [Message].
func (FamilyCodes) ID() int { return IDFamilyCodes }

// Append implements [Message].
func (m FamilyCodes) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "familyCodes", m.ID(), m.walk)
}

func (m *FamilyCodes) walk(w *walk) {
	list(w, "familyCodes", &m.Codes, 2, func(c *FamilyCode, w *walk) {
		w.str("accountID", &c.Account)
		w.str("familyCode", &c.Code)
	})
}

// ID implements [Message].
func (ReqSoftDollarTiers) ID() int { return IDReqSoftDollarTiers }

// Append implements [Message].
func (m ReqSoftDollarTiers) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqSoftDollarTiers", m.ID(), m.walk)
}

func (m *ReqSoftDollarTiers) walk(w *walk) { w.int("reqId", &m.ReqID) }

// ID implements [Message].
func (SoftDollarTiers) ID() int { return IDSoftDollarTiers }

// Append implements [Message].
func (m SoftDollarTiers) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "softDollarTiers", m.ID(), m.walk)
}

func (m *SoftDollarTiers) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	list(w, "tiers", &m.Tiers, 3, func(t *SoftDollarTier, w *walk) {
		w.str("name", &t.Name)
		w.str("value", &t.Value)
		w.str("displayName", &t.DisplayName)
	})
}

// ID implements [Message].
func (ReqUserInfo) ID() int { return IDReqUserInfo }

// Append implements [Message].
func (m ReqUserInfo) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqUserInfo", m.ID(), m.walk)
}

func (m *ReqUserInfo) walk(w *walk) { w.int("reqId", &m.ReqID) }

// ID implements [Message].
func (UserInfo) ID() int { return IDUserInfo }

// Append implements [Message].
func (m UserInfo) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "userInfo", m.ID(), m.walk)
}

func (m *UserInfo) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.str("whiteBrandingId", &m.WhiteBrandingID)
}

// ID implements [Message].
func (ReqNewsBulletins) ID() int { return IDReqNewsBulletins }

// Append implements [Message].
func (m ReqNewsBulletins) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqNewsBulletins", m.ID(), m.walk)
}

func (m *ReqNewsBulletins) walk(w *walk) {
	w.constant("version", "1")
	w.bool("allMsgs", &m.All)
}

// ID implements [Message].
func (CancelNewsBulletins) ID() int { return IDCancelNewsBulletins }

// Append implements [Message].
func (m CancelNewsBulletins) Append(dst []byte, v Version) ([]byte, error) {
	return plainRequest(dst, v, "cancelNewsBulletins", m.ID())
}

func (*CancelNewsBulletins) read(r *reader) { r.skip("version") }

// ID implements [Message].
func (NewsBulletin) ID() int { return IDNewsBulletin }

// Append implements [Message].
func (m NewsBulletin) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "newsBulletins", m.ID(), m.walk)
}

func (m *NewsBulletin) walk(w *walk) {
	w.constant("version", "1")
	w.int("msgId", &m.MsgID)
	w.int("msgType", &m.Kind)
	w.text("newsMessage", &m.Text)
	w.str("originExch", &m.Exchange)
}
