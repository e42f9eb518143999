import ControlAPI
import Foundation
import Synchronization

/// The requests of one line while they are carried out. Once it has been given up, no further request of the line is begun.
final class Job: Sendable {
    private enum State: Sendable { case waiting, begun, givenUp }

    /// The ids of the requests that are to be answered.
    private let ids: [RequestID]
    private let isBatch: Bool
    private let came = ContinuousClock.now
    private let state = Mutex(State.waiting)

    init(_ line: RequestLine) {
        ids = line.requests.compactMap { item in
            switch item {
            case .success(let request): request.id
            case .failure(let failure): failure.id
            }
        }
        isBatch = line.isBatch
    }

    var isOld: Bool { ContinuousClock.now - came > .milliseconds(900) }

    /// Called before each request.
    /// - Returns: false if the client was told already that it would not be carried out.
    func begin() -> Bool {
        state.withLock { state in
            if state == .waiting { state = .begun }
            return state == .begun
        }
    }

    /// Gives the line up, and makes an answer in place of those that have not come.
    /// - Parameter why: a sentence.
    /// - Returns: the answer; nil: none of the requests wants one.
    func giveUp(_ why: String) -> Data? {
        let hadBegun = state.withLock { state in
            defer { state = .givenUp }
            return state == .begun
        }
        let outcome = switch (hadBegun, isBatch) {
        case (false, _): "this was not done"
        case (true, false): "this is not done yet, and will be when it answers"
        case (true, true): "the request of this batch that is in progress will be done when it answers, and none behind it"
        }
        let answers = ids.map { Response.failure(RPCError(RPCError.failed, "\(why); \(outcome)")).encoded(id: $0) }
        guard isBatch, !answers.isEmpty else { return answers.first }
        return Data("[".utf8) + Data(answers.map { $0.dropLast() }.joined(separator: Data(",".utf8))) + Data("]\n".utf8)
    }
}
