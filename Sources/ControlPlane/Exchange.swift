import ControlAPI
import Dispatch
import Foundation

/// Takes the requests of one line through the handler, one after the other. Between two requests of a batch, other clients have their turn.
///
/// It passes from queue to queue, and is used on one thread at a time.
final class Exchange: @unchecked Sendable {
    /// The most bytes of the answers to one batch, and of a single answer. When a batch has reached it, its remaining requests are not carried out.
    static let mostAnswers = 64 << 20

    private let line: RequestLine
    private let job: Job
    private let environment: Connection.Environment
    private let peer: Peer?
    private let finished: @Sendable (Data?) -> Void
    private var next = 0
    private var answers = Data()

    /// - Parameters:
    ///   - peer: who sent the line; nil: that is not known.
    ///   - finished: called on any thread with the answer; nil: there is nothing to answer.
    init(_ line: RequestLine, _ job: Job, _ environment: Connection.Environment, _ peer: Peer?, finished: @escaping @Sendable (Data?) -> Void) {
        self.line = line
        self.peer = peer
        self.job = job
        self.environment = environment
        self.finished = finished
    }

    func advance() {
        while next < line.requests.count {
            let item = line.requests[next]
            next += 1
            switch item {
            case .failure(let failure): add(Response.failure(failure.error), failure.id)
            case .success(var request):
                request.peer = peer
                guard answers.count < Self.mostAnswers else {
                    let sentence = "not carried out: the answers to this batch have more than \(Self.mostAnswers >> 20) MiB already; send fewer requests at once"
                    if let id = request.id { add(.failure(RPCError(RPCError.failed, sentence)), id) }
                    continue
                }
                return carryOut(request)
            }
        }
        if line.isBatch, !answers.isEmpty { answers += Data("]\n".utf8) }
        finished(answers.isEmpty ? nil : answers)
    }

    private func carryOut(_ request: Request) {
        environment.queue.async { [self] in
            // A request whose client was told that it was not carried out must not be carried out later. Nobody waits for the rest of the line either.
            guard job.begin() else { return finished(nil) }
            proceed(request, environment.handler.run(request))
        }
    }

    private func proceed(_ request: Request, _ response: Response) {
        switch response {
        // Encoding the result does not need the handler's queue, so that other clients do not wait for it.
        case .later: DispatchQueue.global(qos: .utility).async { [self] in answer(request, response) }
        case .first(let work):
            environment.documents.async { [self] in
                let next = work()
                environment.queue.async { [self] in proceed(request, next.run()) }
            }
        case .result, .failure: answer(request, response)
        }
    }

    private func answer(_ request: Request, _ response: Response) {
        if let id = request.id { add(response, id) }
        advance()
    }

    private func add(_ response: Response, _ id: RequestID) {
        var answer = response.encoded(id: id)
        if answer.count > Self.mostAnswers {
            let sentence = "the answer has \(answer.count >> 20) MiB, and more than \(Self.mostAnswers >> 20) are not sent: ask for one tree, or by name"
            answer = Response.failure(RPCError(RPCError.failed, sentence)).encoded(id: id)
        }
        guard line.isBatch else { answers = answer; return }
        answers += Data((answers.isEmpty ? "[" : ",").utf8)
        answers += answer.dropLast()
    }
}
