<?php

declare(strict_types=1);

namespace phpsite;

const PATIENCE = 60; // seconds for one exchange
const DRIFT = 15; // seconds an answer may be stamped ahead of us

/** A fault in a peer's answer. */
final class fault extends \Exception {
}

/** POSTs a document to the peer as Moodle does. */
function post(peer $peer, string $document): string {
    $headers = ['User-Agent: Moodle', 'Content-Type: text/xml charset=UTF-8', 'Connection: close'];
    if (is_healing()) {
        $headers[] = HEALING_HEADER . ': 1';
    }
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => $headers,
        'content' => $document,
        'timeout' => PATIENCE,
        'ignore_errors' => true,
        'follow_location' => 0,
    ]]);
    $answer = @file_get_contents($peer->url, false, $context);
    return $answer === false ? throw new \RuntimeException("$peer->url cannot be reached") : $answer;
}

/** Reads an XML-RPC answer; a fault is thrown. */
function answer_value(string $xml): mixed {
    $value = xmlrpc_decode($xml, 'utf-8');
    if ($value === null) {
        throw new \RuntimeException('the answer is not XML-RPC');
    }
    return is_array($value) && xmlrpc_is_fault($value) ? throw new fault($value['faultString'], $value['faultCode']) : $value;
}

/** The certificate a peer answers, or null. With $force it is asked to store ours ($certificate) too. */
function keyswap(peer $peer, string $certificate, bool $force = false): ?string {
    $parameters = [$GLOBALS['CFG']->wwwroot, $certificate, $peer->application, ...($force ? [1] : [])];
    $answer = answer_value(post($peer, xmlrpc_encode_request('system/keyswap', $parameters, ['encoding' => 'utf-8'])));
    return is_string($answer) ? $answer : null;
}

/**
 * A sealed call. A peer that says by 7025, signed with the key we know, that it has a newer one is believed and called again.
 *
 * @throws fault|bad_message|\RuntimeException
 */
function call(peer $peer, string $method, array $parameters = [], bool $again = true): mixed {
    $pair = own_pair();
    $request = xmlrpc_encode_request($method, $parameters, ['encoding' => 'utf-8']);
    $body = post($peer, seal(sign($request, $pair), $peer->certificate));
    if (!is_sealed($body)) {
        return answer_value($body);
    }
    $document = (new sealed($body))->open($pair) ?? throw new \RuntimeException('no key match');
    $answer = new signed($document);
    if ($answer->wwwroot !== $peer->wwwroot || !$answer->verifies($peer->certificate)) {
        throw new \RuntimeException('the answer is not signed by the key we hold');
    }
    if ($answer->timestamp > time() + DRIFT) {
        throw new \RuntimeException('the answer comes from the future');
    }
    try {
        return answer_value($answer->payload);
    } catch (fault $fault) {
        if ($fault->getCode() === 7025 && $again && $peer->store($fault->getMessage())) {
            return call($peer, $method, $parameters, false);
        }
        throw $fault;
    }
}
