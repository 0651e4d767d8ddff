# build for this machine, test everything, pack a release into dist/.

DIST ?= dist
ARCHS ?= amd64 arm64

.PHONY: build test docs pictures dist clean

build:
	go build -buildvcs=auto -tags urfave_cli_no_docs -o renew_mnetkeys .

test:
	./test.sh

# What the source says better: the help, and the table of reasons.
docs:
	MNETKEYS_TEST_WRITE=1 go test -count=1 -run 'TheDocumentOfOptionsShowsTheHelp|TheGuideToRecovery' ./test

# The pictures in the README: a terminal, of a smoke run, and the page, by Chromium.
pictures:
	MNETKEYS_TEST_WRITE=1 go test -count=1 -run 'Picture' ./smoke ./internal/report

dist:
	packaging/dist.sh $(DIST) $(ARCHS)

clean:
	rm -rf renew_mnetkeys dist
