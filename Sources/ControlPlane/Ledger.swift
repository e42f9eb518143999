import Dispatch
import Foundation

/// Counters that all connections share, with the limits on them, and whether the server is ending.
final class Ledger: @unchecked Sendable {
    /// Each client may have this many bytes of requests and of answers whatever the others have: a client that asks for little is served while others fill the
    /// limits.
    private static let always = 64 << 10
    /// The most clients that are being told that they are too many.
    private static let mostLingering = 64

    /// When more bytes than this were counted and hardly any are left, free memory is given back to the system.
    private static let much = 16 << 20

    let limits: ControlServer.Limits
    private let mutex = NSLock()
    private var clients = 0
    private var lingering = 0
    private var subscribers = 0
    /// Bytes that all clients together have of something.
    private struct Pool {
        var bytes = 0
        var highest = 0
    }
    private var pending = Pool()
    private var answers = Pool()
    private var isEnding = false
    private var wasMuch = false

    init(limits: ControlServer.Limits) {
        self.limits = limits
        MallocLimits.set
    }

    /// The most bytes of requests, and of answers, that there ever were at the same time.
    var peak: (pending: Int, answers: Int) { mutex.withLock { (pending.highest, answers.highest) } }

    /// Counts a client in.
    /// - Returns: false if there are too many clients, or the server is ending.
    func enter() -> Bool {
        mutex.withLock {
            guard clients < limits.clients, !isEnding else { return false }
            clients += 1
            return true
        }
    }

    func leave(holding bytes: Int) {
        mutex.withLock {
            clients -= 1
            pending.bytes -= bytes
            watch()
        }
    }

    /// Counts a client in that is told that there are too many.
    /// - Returns: false if too many are being told that already.
    func linger() -> Bool {
        mutex.withLock {
            guard lingering < Self.mostLingering else { return false }
            lingering += 1
            return true
        }
    }

    /// Counts a client in that is sent events.
    /// - Returns: false if there are too many.
    func subscribe() -> Bool {
        mutex.withLock {
            guard subscribers < limits.subscribers else { return false }
            subscribers += 1
            return true
        }
    }

    func unsubscribe() { mutex.withLock { subscribers -= 1 } }

    func stopLingering() { mutex.withLock { lingering -= 1 } }

    /// Counts bytes of requests in.
    /// - Parameter own: how many bytes the same client has already.
    /// - Returns: false if they would exceed what all clients together may have.
    func hold(_ bytes: Int, besides own: Int) -> Bool { count(bytes, in: \.pending, limit: limits.pending, besides: own) }

    func release(_ bytes: Int) {
        mutex.withLock {
            pending.bytes -= bytes
            watch()
        }
    }

    /// Counts bytes of an answer in.
    /// - Parameter own: how many bytes of answers the same client has already.
    /// - Returns: false if they would exceed what all clients together may have.
    func holdAnswer(_ bytes: Int, besides own: Int) -> Bool { count(bytes, in: \.answers, limit: limits.answers, besides: own) }

    private func count(_ bytes: Int, in path: ReferenceWritableKeyPath<Ledger, Pool>, limit: Int, besides own: Int) -> Bool {
        mutex.withLock {
            let present = self[keyPath: path].bytes + bytes
            guard present <= limit || own + bytes <= Self.always else { return false }
            self[keyPath: path].bytes = present
            self[keyPath: path].highest = max(self[keyPath: path].highest, present)
            watch()
            return true
        }
    }

    /// Counts bytes of an answer in, or out, that is sent in any case.
    fileprivate func changeAnswers(by bytes: Int) {
        mutex.withLock {
            answers.bytes += bytes
            watch()
        }
    }

    /// Called with the lock held after each change of what is counted. malloc keeps freed memory for itself, and what it keeps grows with each flood of large
    /// requests or answers.
    private func watch() {
        let bytes = pending.bytes + answers.bytes
        if bytes > Self.much { wasMuch = true }
        guard wasMuch, bytes < Self.much / 16 else { return }
        wasMuch = false
        // The last of it is freed in the next moments; on a host whose CPUs are busy, somewhat later.
        for seconds in [1.0, 10] { DispatchQueue.global(qos: .utility).asyncAfter(deadline: .now() + seconds) { MallocLimits.trim() } }
    }

    func end() { mutex.withLock { isEnding = true } }

    /// Counts a request in.
    /// - Returns: false if the server is ending.
    func begin(_ work: DispatchGroup) -> Bool {
        mutex.withLock {
            if isEnding { return false }
            work.enter()
            return true
        }
    }
}

/// What one request and its answer take of the limits. It gives back what it still has when nobody refers to it any more. It is used on one thread at a time.
final class Share: @unchecked Sendable {
    private let ledger: Ledger
    private var request: Int
    private var answer = 0

    /// - Parameter requestBytes: the bytes of a request, which the ledger has counted already.
    init(_ ledger: Ledger, requestBytes: Int = 0) {
        self.ledger = ledger
        request = requestBytes
    }

    deinit {
        endRequest()
        endAnswers()
    }

    /// - Parameter isCounted: whether the ledger has counted the bytes already.
    func add(answerBytes: Int, isCounted: Bool = false) {
        answer += answerBytes
        if !isCounted { ledger.changeAnswers(by: answerBytes) }
    }

    func endRequest() {
        ledger.release(request)
        request = 0
    }

    func endAnswers() {
        ledger.changeAnswers(by: -answer)
        answer = 0
    }
}
