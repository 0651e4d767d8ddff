package config

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"time"

	"renew_mnetkeys/moodledb/phprun"
	"renew_mnetkeys/moodledb/phpsource"
	"renew_mnetkeys/moodledb/siteuser"
)

// evaluateLimit bounds a run of php, which usually takes some 30 ms.
const evaluateLimit = 10 * time.Second

//go:embed evaluate.php
var evaluateScript string

// evaluation lets php run config.php with a substitute for lib/setup.php, so that nothing of Moodle
// is loaded.
type evaluation struct {
	why     *phpsource.ComputedError
	php     string
	path    string
	environ []string
	tenant  map[string]string
	request map[string]string // nil: none
	guard   bool              // define the constant that lib/setup.php would

	dataroot string // if the tool is root, php runs as its owner, see siteuser.ForPHP
	shared   bool   // see Options
	within   bool   // php may read the directories of the site only
}

// answer is the result of php for config.php.
type answer struct {
	cfg          phpsource.Value
	setup        string // path of lib/setup.php if the evaluation reached it
	how, problem string // exit, return or error; php's message about it
	file         string
	line         int
}

// evaluate asks php for what our reader cannot evaluate; why is the reason. likely is the dataroot,
// "" if the reader does not know it.
func evaluate(ctx context.Context, path string, o Options, tenant map[string]string, why *phpsource.ComputedError, likely string) (*settings, error) {
	source, err := siteuser.User{}.ReadFile(path, phpsource.MaxSize)
	if err != nil {
		return nil, unreadable(path, err)
	}
	e := evaluation{why: why, path: path, environ: o.Environ, tenant: tenant, request: Request(o.asked(tenant)), php: o.PHP, shared: o.Shared}
	if e.php == "" && o.FindPHP != nil {
		e.php = o.FindPHP(literal(source, "pathtophp"))
	}
	if e.php == "" {
		return &settings{file: path, dir: filepath.Dir(real(path)), fixed: map[string]string{}, unknown: computedError(why)}, nil
	}
	dataroot := o.Overrides["dataroot"]
	if tenant != nil {
		dataroot = tenant["dataroot"]
	}
	a, err := e.asOwner(ctx, cmp.Or(likely, literal(source, "dataroot")), dataroot)
	if err != nil {
		return nil, err
	}
	s := &settings{file: path, dir: filepath.Dir(real(path)), fixed: map[string]string{}, cfg: a.cfg, evaluated: true, ofRequest: e.request != nil, host: o.asked(tenant)}
	if a.setup != "" {
		s.dir = filepath.Dir(filepath.Dir(a.setup))
	}
	if e.request == nil {
		return s, e.sameForAnotherRequest(ctx, a)
	}
	return s, nil
}

// computedError names the construct that only php can evaluate.
func computedError(why *phpsource.ComputedError) *Error {
	e := &Error{File: why.File, Line: why.Line, Problem: why.Problem + ", which only PHP can evaluate, and no php was found", Err: why,
		Advice: "install php or name it with --php=PATH"}
	if why.Request {
		e.Problem, e.Advice = why.Problem, hintHost
	}
	return e
}

// asOwner evaluates as the user whom siteuser.ForPHP chooses if the tool is root: the owner of
// dataroot. Until config.php was evaluated, dataroot is a guess, which only decides who evaluates
// first. The answer that counts is the one from the owner of the dataroot named in it.
func (e *evaluation) asOwner(ctx context.Context, likely, known string) (answer, error) {
	e.dataroot = cmp.Or(known, likely)
	first, err := e.owner()
	if err != nil {
		return answer{}, err
	}
	a, err := e.run(ctx)
	dataroot := a.cfg.Get("dataroot").Text()
	if err != nil || known != "" || dataroot == e.dataroot || os.Geteuid() != 0 {
		return a, err
	}
	e.dataroot = dataroot
	owner, err := e.owner()
	if err != nil || reflect.DeepEqual(owner, first) {
		return a, err
	}
	again, err := e.run(ctx)
	if err == nil && again.cfg.Get("dataroot").Text() != e.dataroot {
		err = &Error{File: e.path, Problem: "config.php has another dataroot for the user who owns dataroot",
			Advice: "as the web server's user, run: sudo -u www-data renew_mnetkeys …"}
	}
	return again, err
}

// owner is the user as whom php evaluates.
func (e *evaluation) owner() (siteuser.PHP, error) {
	as, err := siteuser.ForPHP(e.path, e.dataroot, "", e.shared)
	if shared := (*siteuser.SharedError)(nil); errors.As(err, &shared) {
		return as, &Error{Problem: err.Error(), Advice: shared.Hint(), Err: err}
	}
	if err != nil {
		err = &Error{File: e.path, Problem: err.Error(), Err: err,
			Advice: "give --cfg=dataroot=PATH. Or, as the web server's user, run: sudo -u www-data renew_mnetkeys …"}
	}
	e.within = as.Within != nil
	return as, err
}

var reLiteral = regexp.MustCompile(`(?m)^[ \t]*\$CFG->(\w+)\s*=\s*(?:'([^'\\]*)'|"([^"\\$]*)")\s*;`)

// literal is the last value that a line of source assigns to a setting as a plain string, "" if no
// line does. It is a guess: it may only decide who runs php, or which php.
func literal(source []byte, setting string) (text string) {
	for _, m := range reLiteral.FindAllSubmatch(source, -1) {
		if string(m[1]) == setting {
			text = string(m[2]) + string(m[3])
		}
	}
	return text
}

// run evaluates once, or twice if the file ends itself unless the guard is defined. An error is an
// *Error or the context's.
func (e *evaluation) run(ctx context.Context) (answer, error) {
	a, err := e.ask(ctx)
	if err == nil && a.how == "exit" && !e.guard {
		guarded := *e
		guarded.guard = true
		if again, err := guarded.ask(ctx); err == nil && again.how == "" {
			a = again
		}
	}
	switch {
	case ctx.Err() != nil:
		return a, fmt.Errorf("evaluate %s by php: %w", e.path, ctx.Err())
	case err != nil:
		failed := &Error{File: e.why.File, Line: e.why.Line, Problem: e.why.Problem + ", which only PHP can evaluate, and " + e.php + " fails: " + err.Error(), Err: err,
			Advice: "name another php with --php=PATH, or see what this says: " + e.php + " " + e.path}
		if e.why.Request {
			failed.Advice = hintHost + ", or " + failed.Advice
		}
		return a, failed
	case a.how == "error" && strings.HasPrefix(a.problem, "ParseError"): // any other php says the same
		return a, &Error{File: a.file, Line: a.line, Problem: "php cannot read config.php: " + a.problem,
			Advice: fmt.Sprintf("correct %s at line %d, or in a line above; php -l tests the file", a.file, a.line)}
	case a.how == "error":
		if hidden := unread(filepath.Dir(e.path), a.cfg.Get("dirroot").Text()); hidden != nil && strings.Contains(a.problem, "undefined function vmoodle_") {
			return a, hidden // it defines them
		}
		return a, &Error{File: a.file, Line: a.line, Problem: "php cannot evaluate config.php: " + a.problem,
			Advice: "name another php with --php=PATH. Or, with the environment of the web server's user, run: sudo -u www-data renew_mnetkeys …"}
	case a.how != "":
		return a, endedEarly(a.file, a.line, a.how, e.request["HTTP_HOST"])
	}
	return a, nil
}

// ask runs php. The script and the tenant's values, which contain a password, go to stdin. The
// resulting $CFG comes back as PHP source over a pipe of its own and is read like any other source.
func (e *evaluation) ask(ctx context.Context) (answer, error) {
	settings := []string{"opcache.enable_cli=0", "auto_append_file="}
	if e.within {
		settings = append(settings, "disable_functions=glob") // it leaves out what open_basedir forbids, without a message
	}
	text, err := phprun.Script{
		PHP:      e.php,
		Settings: settings,
		Source:   fmt.Sprintf("<?php $mnetkeys = array('tenant' => %s, 'guard' => %t); ?>%s", phprun.Array(e.tenant), e.guard, evaluateScript),
		Config:   e.path,
		Dataroot: e.dataroot,
		Shared:   e.shared,
		Request:  e.request,
		Environ:  e.environ,
		Limit:    evaluateLimit,
	}.Run(ctx)
	if err != nil {
		return answer{}, err
	}
	a, err := phpsource.Parse(e.path, text, phpsource.Env{})
	var computed *phpsource.ComputedError
	switch {
	case len(text) >= phprun.MaxAnswer:
		return answer{}, errors.New("what $CFG has is larger than 1 MiB")
	case errors.As(err, &computed):
		return answer{}, errors.New("its answer cannot be read: it " + computed.Problem)
	case err != nil:
		return answer{}, errors.New("its answer cannot be read")
	}
	ended := a.Variable("ended")
	return answer{cfg: a.Variable("CFG"), setup: ended.Get("setup").Text(), how: ended.Get("how").Text(), problem: ended.Get("message").Text(),
		file: cmp.Or(ended.Get("file").Text(), e.path), line: int(ended.Get("line").Int())}, nil
}
