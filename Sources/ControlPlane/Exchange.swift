import ControlAPI
import Dispatch
import Foundation

/// The requests of one line on their way through the handler, one after the other; between two of a batch other clients have their turn.
///
/// Used on one thread at a time, from one queue to the next.
final class Exchange: @unchecked Sendable {
    /// Bytes of answers to one batch; what comes after is not carried out. And of any one answer.
    static let mostAnswers = 64 << 20

    private let line: RequestLine
    private let job: Job
    private let environment: Connection.Environment
    private let finished: @Sendable (Data?) -> Void
    private var next = 0
    private var answers = Data()

    /// - Parameter finished: gets the answer, nil if there is none to give; on any thread.
    init(_ line: RequestLine, _ job: Job, _ environment: Connection.Environment, finished: @escaping @Sendable (Data?) -> Void) {
        self.line = line
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
            case .success(let request):
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
            // Whoever was told that it was not done must not find it done later; nobody waits for the rest of the line then.
            guard job.begin() else { return finished(nil) }
            proceed(request, environment.handler.run(request))
        }
    }

    private func proceed(_ request: Request, _ response: Response) {
        switch response {
        // What only has to be written down holds up nobody who waits for the queue.
        case .later: DispatchQueue.global(qos: .utility).async { [self] in settle(request, response) }
        case .first(let work):
            environment.documents.async { [self] in
                let next = work()
                environment.queue.async { [self] in proceed(request, next.run()) }
            }
        case .result, .failure: settle(request, response)
        }
    }

    private func settle(_ request: Request, _ response: Response) {
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
