<?php

declare(strict_types=1);

namespace phpsite;

/**
 * A call that is made to learn a caller's new key says so, and the site that gets it does not start learning in turn. Moodle
 * has no such thing: two sites that have both renewed chase each other there until their workers are used up.
 */
const HEALING_HEADER = 'X-Phpsite-Healing';

function is_healing(?bool $set = null): bool {
    static $healing = false;
    return $healing = $set ?? $healing;
}

function fault_document(int $code, string $text): string {
    return xmlrpc_encode_request(null, ['faultCode' => $code, 'faultString' => $text], ['encoding' => 'utf-8']);
}

/** The answer to the body of one request. */
function serve(string $body): string {
    try {
        return is_sealed($body) ? serve_sealed(new sealed($body)) : serve_plain($body);
    } catch (bad_message $bad) {
        return fault_document($bad->getCode(), $bad->getMessage());
    }
}

/** Unsealed, only a keyswap is served. */
function serve_plain(string $body): string {
    $parameters = @xmlrpc_decode_request($body, $method, 'utf-8');
    if ($method !== 'system/keyswap') {
        throw new bad_message('The transport method is not permitted', 7021);
    }
    [$wwwroot, $certificate, , $force] = array_pad((array) $parameters, 4, null);
    $answer = own_host()->certificate;
    if (!empty($GLOBALS['CFG']->vmoodle_patched) && $force) {
        $peer = peer::find((string) $wwwroot);
        if ($peer === null) {
            $answer = false;
        } elseif (!$peer->store((string) $certificate)) {
            throw new bad_message('Error writing to database', 0);
        }
    }
    return xmlrpc_encode_request(null, $answer, ['encoding' => 'utf-8']);
}

function serve_sealed(sealed $sealed): string {
    $peer = peer::find($sealed->wwwroot);
    if ($peer === null || $peer->deleted) {
        throw new bad_message('wrong-wwwroot', 7020);
    }
    [$used, $document] = open_by_any($sealed);
    $request = new signed($document);
    $answer = fn(int $code, string $text) => seal(sign(fault_document($code, $text), $used), $peer->certificate);
    if (peer::find($request->wwwroot)?->id !== $peer->id || !($request->verifies($peer->certificate) || heals($peer, $request))) {
        return $answer(710, 'the signature does not verify');
    }
    $own = cached_pair();
    if ($used->private !== $own->private) {
        return $answer(7025, $own->certificate);
    }
    xmlrpc_decode_request($request->payload, $method, 'utf-8');
    if ($method !== 'system/listServices') {
        return $answer(7012, 'no such function');
    }
    return seal(sign(xmlrpc_encode_request(null, services_for($peer), ['encoding' => 'utf-8']), $own), $peer->certificate);
}

/** @return array{keypair, string} the pair of ours that opens it, retired ones too, and the document */
function open_by_any(sealed $sealed): array {
    foreach ([own_pair(), ...archived_pairs()] as $pair) {
        $document = $sealed->open($pair);
        if ($document !== null) {
            return [$pair, $document];
        }
    }
    throw new bad_message('mnet/encryption-invalid', 7023);
}

/**
 * Learns the new key of a caller whose signature does not verify: asks for its certificate in the open, and believes it only
 * when a call sealed to the certificate we know is answered by 7025, signed with that key.
 */
function heals(peer $peer, signed $request): bool {
    if (isset($_SERVER['HTTP_' . strtr(strtoupper(HEALING_HEADER), '-', '_')])) {
        return false;
    }
    is_healing(true);
    try {
        $held = $peer->certificate;
        if (trim(keyswap($peer, own_host()->certificate) ?? $held) !== trim($held)) {
            call($peer, 'system/listServices');
        }
    } catch (fault | bad_message | \RuntimeException) {
        return false;
    } finally {
        is_healing(false);
    }
    return $request->verifies($peer->certificate);
}

/**
 * What the peer may use and is used for, all values strings.
 *
 * @return list<array<string, string>>
 */
function services_for(peer $peer): array {
    $rows = database::get()->rows('SELECT s.name, s.apiversion, b.publish, b.subscribe FROM {mnet_host2service} b
        JOIN {mnet_service} s ON s.id = b.serviceid WHERE b.hostid = ? AND (b.publish = 1 OR b.subscribe = 1) ORDER BY s.name', $peer->id);
    return array_map(fn($row) => array_map(strval(...), $row), $rows);
}
