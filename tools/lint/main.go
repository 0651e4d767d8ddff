// Command lint runs the analyzers that find what a tool with connections gets wrong: responses and
// rows that are left open, errors that are compared where they may be wrapped. Its module is not
// the command's, so that nothing of it comes near the command; that module's go.mod pins the other
// tools as well.
//
// Left out is contextcheck: docs/reliability.md says what it finds here.
package main

import (
	"github.com/jingyugao/rowserrcheck/passes/rowserr"
	"github.com/polyfloyd/go-errorlint/errorlint"
	"github.com/ryanrolds/sqlclosecheck/pkg/analyzer"
	"github.com/timakin/bodyclose/passes/bodyclose"
	"golang.org/x/tools/go/analysis/multichecker"
)

func main() {
	multichecker.Main(
		bodyclose.Analyzer,
		analyzer.NewAnalyzer(),
		rowserr.NewAnalyzer(),
		errorlint.NewAnalyzer(),
	)
}
