package archtest

import (
	"go/ast"
	"path/filepath"
	"testing"
)

// lessons are the incidents of other traders that orders must never meet again, and
// the tests that play each. The number is that of field-lessons.md.
var lessons = map[string][]string{
	"1.4: tasks that raced bought 712 times":          {"TestEightTasksBuyOnce", "TestNoSequenceOfEntriesPassesTheLimits"},
	"1.5: a second path around the risk gate":         {"TestNoSecondOrderPath"},
	"1.6: stops in memory, lost by a restart":         {"TestFieldLessonStopsSurviveARestart"},
	"1.7: sold and bought again at once":              {"TestNoBuyRightAfterTheSale"},
	"1.8: a price of another symbol fired a stop":     {"TestAnswersOfTwoSymbolsSwappedLateAndDoubled", "TestAPriceOfAnotherSymbolFiresNoStop"},
	"1.18: a clean-up deleted the trade history":      {"TestAHistoryOfTradesIsNeverDeleted", "TestNoStatementDeletesTrades"},
	"2.1: fills lost around 1100":                     {"TestFillsAround1100", "TestExecutionsWhileTheVenueIsLost"},
	"2.2: order ids rolled back":                      {"TestReusedOrderIdIsNotCrossAttributed", "TestOrderIdsOnlyRise"},
	"2.3: orders of the second of a restart":          {"TestReductionsInTheSecondOfARestart", "TestACancelThatIsLostWithItsSessionIsNoticed"},
	"2.11: duplicates at a restart":                   {"TestDuplicateOrdersOnRestart"},
	"2.12: orders of the last session unmanageable":   {"TestWorkingOrdersOfTheLastSessionAreAdopted"},
	"2.13: a change in an outage left two orders":     {"TestFieldLessonChangeDuringAnOutageLeavesOneOrder", "TestMoreThanAnOrderAskedForIsRaised"},
	"2.14: an empty answer read as flat":              {"TestAnEmptyAnswerReadAsFlat", "TestAFailedQuestionIsNotFlat", "TestAbsenceTakesASettledSession"},
	"2.15: a reconciliation that traded":              {"TestFlatClosesOpenNothing"},
	"2.16: books that drift all day":                  {"TestTheBooksDriftAllDay", "TestALookThatFailsForMinutesTakesEntriesAway"},
	"2.17: reports in any order":                      {"TestAllOrderingsOfReportsReachOneState"},
	"2.18: information taken for a cancel":            {"TestInformationIsNoCancel", "TestInformationEndsNoOrder", "TestAWordThatEndsNothingIsNoAnswer", "TestCodesOfTheConfiguration"},
	"2.27: orders dropped as the connection was lost": {"TestOrdersDroppedInTheDisconnectWindow"},
}

// TestEachLessonHasItsTest: whoever renames or drops one of them says so here.
func TestEachLessonHasItsTest(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	_, sources := load(t, root)
	there := map[string]bool{}
	for _, s := range sources {
		if !s.test {
			continue
		}
		for _, decl := range s.ast.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				there[f.Name.Name] = true
			}
		}
	}
	for lesson, tests := range lessons {
		for _, name := range tests {
			if !there[name] {
				t.Errorf("lesson %s: no test %s", lesson, name)
			}
		}
	}
}
