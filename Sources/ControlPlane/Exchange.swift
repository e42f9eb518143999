import ControlAPI
import Dispatch
import Foundation

/// Takes the requests of one line through the handler, one after the other. Between two requests of a batch, other clients have their turn.
///
/// It passes from queue to queue, and is used on one thread at a time.
final class Exchange: @unchecked Sendable {
    /// The most bytes of the answers to one batch, and of a single answer. When a batch has reached it, its remaining requests are not carried out.
    static let mostAnswers = 64 << 20

    /// The answer to a line.
    struct Answer: Sendable {
        /// nil: there is nothing to answer.
        var text: Data?
        /// The text's part of what all answers together may take. It has to be kept as long as the text.
        var share: Share
        /// Whether the real answer is left out, because those of other clients take up all the room.
        var isRefused = false
        /// The kinds of events that the client has asked for, which are counted in the ledger; nil: it has not.
        var subscription: Set<Event.Kind>?
        /// What follows the answer and ends the connection; nil: nothing. Whoever gets the answer has to end it.
        var stream: (any AnswerStream)?
    }

    private let line: RequestLine
    private let job: Job
    private let environment: Connection.Environment
    private let peer: Peer?
    /// The memory of the request and of the answers.
    private let share: Share
    private let finished: @Sendable (Answer) -> Void
    private var next = 0
    private var isRefused = false
    private var subscription: Set<Event.Kind>?
    private var stream: (any AnswerStream)?
    private var answers = Data()

    /// - Parameters:
    ///   - peer: who sent the line; nil: that is not known.
    ///   - finished: called on any thread with the answer.
    init(_ line: RequestLine, _ job: Job, _ environment: Connection.Environment, _ peer: Peer?, _ share: Share, finished: @escaping @Sendable (Answer) -> Void) {
        self.line = line
        self.peer = peer
        self.job = job
        self.environment = environment
        self.share = share
        self.finished = finished
    }

    func advance() {
        while next < line.requests.count, !isRefused {
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
        if line.isBatch, !isRefused, !answers.isEmpty { answers += Data("]\n".utf8) }
        finish(answers.isEmpty ? nil : answers)
    }

    private func finish(_ text: Data?) {
        // The request is not needed any more, and may have been much larger than the answer.
        share.endRequest()
        // A client that is not told so does not expect events.
        if isRefused, subscription != nil {
            environment.ledger.unsubscribe()
            subscription = nil
        }
        if isRefused, let stream {
            environment.close(stream)
            self.stream = nil
        }
        finished(Answer(text: text, share: share, isRefused: isRefused, subscription: subscription, stream: stream))
    }

    private func carryOut(_ request: Request) {
        environment.queue.async { [self] in
            // A request whose client was told that it was not carried out must not be carried out later. Nobody waits for the rest of the line either.
            guard job.begin() else { return finish(nil) }
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
        case .subscribed(let kinds, _):
            guard subscription != nil || environment.ledger.subscribe() else {
                let sentence = "\(environment.ledger.limits.subscribers) clients have subscribed to events already: try again later"
                return answer(request, .failure(RPCError(RPCError.failed, sentence)))
            }
            subscription = kinds
            answer(request, response)
        case .stream(let stream, _):
            // Nobody would read it if it has no answer, and no other answer can follow it.
            guard request.id != nil, !line.isBatch else {
                environment.close(stream)
                return answer(request, .failure(RPCError(RPCError.invalidRequest, "\(request.method) needs an id and a line of its own: its answer does not end with the line")))
            }
            self.stream = stream
            answer(request, response)
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
        guard environment.ledger.holdAnswer(answer.count, besides: answers.count) else { return refuse(id) }
        share.add(answerBytes: answer.count, isCounted: true)
        guard line.isBatch else { answers = answer; return }
        answers += Data((answers.isEmpty ? "[" : ",").utf8)
        answers += answer.dropLast()
    }

    /// Answers in place of all answers that there is no room for.
    private func refuse(_ id: RequestID) {
        isRefused = true
        let most = environment.ledger.limits.answers >> 20
        var sentence = "the answers that clients have not read yet take \(most) MiB, and there is no room for this one: read answers as they come, or try again"
        if line.isBatch { sentence += " from request \(next) of \(line.requests.count) on: that one was carried out, and none behind it" }
        answers = Response.failure(RPCError(RPCError.failed, sentence)).encoded(id: line.isBatch ? .null : id)
        share.endAnswers()
        share.add(answerBytes: answers.count)
    }
}
