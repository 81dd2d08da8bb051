// Package archtest holds the rules on who may import whom as a test, so that
// the shape of the program is not a matter of attention. It has no code of its
// own; run it with go test ./scripts/archtest.
//
// It promises that a breach names file, line and rule. It does not judge
// style; scripts/lint.sh does.
package archtest
