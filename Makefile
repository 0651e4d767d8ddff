# build for this machine, test everything, pack a release into dist/: see docs/release.md.

DIST ?= dist
# TARGETS=linux/amd64,darwin/arm64 packs only these.
TARGETS ?=

.PHONY: build test docs pictures release clean

# Without git both are empty, and --version says that the revision is unknown.
REVISION = $(shell git describe --always --abbrev=40 --exclude='*' --dirty 2>/dev/null)
DATE = $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%d 2>/dev/null)

build:
	go build -tags urfave_cli_no_docs -ldflags '-X main.revision=$(REVISION) -X main.date=$(DATE)' -o renew_mnetkeys .

test:
	./test.sh

# What the source says better: the help, and the table of reasons.
docs:
	MNETKEYS_TEST_WRITE=1 go test -count=1 -run 'TheDocumentOfOptionsShowsTheHelp|TheGuideToRecovery' ./test

# The pictures in the README: a terminal, of a smoke run, and the page, by Chromium.
pictures:
	MNETKEYS_TEST_WRITE=1 go test -count=1 -run 'Picture' ./smoke ./internal/report

release:
	cd tools && GOWORK=off go run ./release -dist '$(abspath $(DIST))' -targets '$(TARGETS)'

clean:
	rm -rf renew_mnetkeys dist
