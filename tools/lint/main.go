// Command lint runs the analyzers that find typical mistakes of a tool with connections: responses
// and rows that are left open, errors that are compared although they may be wrapped. It has a
// module of its own, so that none of its dependencies becomes one of the command; that module's
// go.mod pins the other tools as well.
//
// contextcheck is left out: docs/reliability.md says what it finds here.
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
