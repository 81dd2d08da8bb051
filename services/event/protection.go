package event

// Protection tells how the positions of the account are protected by stops at
// the broker. It is told whenever it changes, and as a whole.
type Protection struct {
	// Off says that the desk places no protective stops: desk.protect is off.
	Off bool `json:"off"`
	// Guards are those of the positions that are traded here, by symbol; nil is
	// not known, or off.
	Guards []GuardState `json:"guards"`
}
