import Scheduler
import TestSupport

/// Gives the same steps to the tree and to the oracle.
struct Duel {
    private var maker: CaseMaker?
    private let arena: Arena
    /// The case, as far as it has been carried out.
    private(set) var done: Case

    /// A case that is chosen at random.
    init(seed: UInt64, _ kind: CaseMaker.Kind = .plain) {
        var maker = CaseMaker(dice: Seeded(seed), kind: kind)
        let (begin, classes) = maker.begin()
        done = begin
        arena = Arena(begin)
        self.maker = maker
        for _ in 0..<classes where failure == nil {
            let step = self.maker!.add(among: arena.ids)
            failure = take(step)
        }
    }

    private init(_ begin: Case) {
        done = begin
        done.steps = []
        arena = Arena(begin)
    }

    /// The number of frames that left on what a class had saved, according to the oracle.
    var sentFromSavings: Int { arena.oracle.sentFromSavings }
    var droppedByCoDel: Int { arena.oracle.droppedByCoDel }
    /// The number of frames that left as several.
    var sentAsSeveral: Int { arena.oracle.sentAsSeveral }

    private var failure: String?

    private mutating func take(_ step: Step) -> String? {
        done.steps.append(step)
        return arena.apply(step)
    }

    /// Returns nil if both agreed in all steps; otherwise, what they did not agree on.
    mutating func run() -> String? {
        for number in 0..<160 where failure == nil && !arena.oracle.isTied {
            let arena = arena
            let step = maker!.step(among: arena.ids, tag: arena.tag + 1) { arena.wait }
            failure = take(step).map { "step \(number): \($0)" }
        }
        return failure ?? arena.examine().map { "in the end: \($0)" }
    }

    /// A number that identifies the case: FNV-1a of its text. The parameters that the oracle does not have are left out of the text; cases that were kept before
    /// they existed can thus still be identified.
    var mark: UInt64 {
        "\(done)".replacing("queuesFlows: false, marksForCoDel: false, markBytes: 0, markDelay: 0, ", with: "")
            .utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    /// Carries out steps that are written down, and returns nil if both agreed; otherwise, what they did not agree on.
    static func difference(_ known: Case) -> String? {
        let arena = Arena(known)
        for step in known.steps { if let difference = arena.apply(step) { return difference } }
        return arena.examine()
    }

    /// A shorter case that also fails, perhaps in another way.
    static func shortest(_ failing: Case) -> Case {
        var short = failing
        var index = short.steps.count - 1
        while index >= 0 {
            var without = short
            without.steps.remove(at: index)
            if difference(without) != nil { short = without }
            index -= 1
        }
        return short
    }
}

/// One tree, one oracle and one clock.
private final class Arena {
    let tree: UnsafeMutablePointer<ClassTree>
    let oracle: Oracle
    var now: Nanoseconds
    var ids: [ClassID] = [1]
    var tag: UInt32 = 0
    private let into = UnsafeMutablePointer<ScheduledFrame>.allocate(capacity: 16)
    private let freed = UnsafeMutablePointer<DroppedFrame>.allocate(capacity: 64)
    private let times = UnsafeMutablePointer<Nanoseconds>.allocate(capacity: 16)
    /// When each frame was queued, and the delays of each leaf's frames that have waited. Nil in half of all cases, in which the tree does not count delays.
    private var queuedAt: [UInt32: Nanoseconds] = [:]
    private var delays: [ClassID: [Nanoseconds]]?

    init(_ begin: Case) {
        now = begin.start
        tree = ClassTree.create(root: begin.root, classes: 32, frames: begin.frames, outputs: 3, overhead: begin.overhead, now: now)
        oracle = Oracle(root: begin.root, frames: begin.frames, overhead: begin.overhead, now: now)
        guard begin.start & 1 == 0 else { return }
        delays = [:]
        tree.pointee.grantDelays()
        tree.pointee.countDelays(true)
    }

    deinit {
        ClassTree.destroy(tree)
        into.deallocate()
        freed.deallocate()
        times.deallocate()
    }

    /// The time until the tree has something to do; nil if it never has.
    var wait: Nanoseconds? {
        let next = tree.pointee.nextEvent(at: now)
        return next == .max ? nil : max(now, next) - now
    }

    private var steps = 0

    /// Returns nil if both did the same. The frames that leave are compared in every step. Counters and the tree's invariants are compared in every eighth
    /// step, after every change of the tree, and at the end; that is enough because counters that differ once remain different, and cases begin with different
    /// numbers of steps.
    func apply(_ step: Step) -> String? {
        if oracle.isTied { return nil }
        if let difference = act(step) { return difference }
        steps += 1
        return step.changesTree || steps % 8 == 0 ? examine() : nil
    }

    func examine() -> String? { oracle.isTied ? nil : counters() ?? tree.pointee.brokenInvariants().first }

    private func act(_ step: Step) -> String? {
        switch step {
        case .add(let id, let parent, let p):
            let isDone = tree.pointee.add(id, under: parent, p, at: now) == .done
            let agreed = oracle.add(id, under: parent, p, at: now) == isDone
            if isDone { ids.append(id) }
            collect()
            return agreed ? nil : "add \(id)"
        case .change(let id, let p):
            return (tree.pointee.change(id, p, at: now) == .done) == oracle.change(id, p, at: now) ? nil : "change \(id)"
        case .remove(let id):
            let isDone = tree.pointee.remove(id, at: now) == .done
            if isDone != oracle.remove(id, at: now) { return "remove \(id)" }
            if isDone {
                ids.removeAll { $0 == id }
                delays?[id] = nil
            }
            collect()
        case .enqueue(let charge, let leaf, let asBurst):
            tag += 1
            queuedAt[tag] = now
            let verdict = offer(charge, to: leaf, asBurst: asBurst)
            let expected = oracle.enqueue(charge, tag: tag, to: leaf, at: now)
            return verdict == expected ? nil : "enqueue to \(leaf): \(verdict), the oracle says \(expected)"
        case .dequeue(let limit):
            return dequeue(limit: limit)
        case .bypass(let lengths, let leaf):
            let passed = tree.pointee.bypass(lengths, count: lengths.count, to: leaf, at: now)
            oracle.update(at: now)
            let expected = oracle.bypass(lengths, to: leaf, at: now)
            return passed == expected ? nil : "\(passed) of \(lengths) pass to \(leaf), the oracle lets \(expected) pass"
        case .bypassBurst(let first, let runs):
            return bypass(first, runs)
        case .advance(let time):
            now += time
        case .share(let shares):
            tree.pointee.share(by: shares)
            oracle.shares = shares
            oracle.sharing.share()
        case .park(let output):
            tree.pointee.park(output: output)
            oracle.parked.insert(output)
        case .unpark(let output):
            tree.pointee.unpark(output: output)
            oracle.unpark(output)
        }
        return nil
    }

    private func collect() { while tree.pointee.takeDropped(into: freed, limit: 64) != 0 {} }

    /// Offers a frame in one of the two ways in which frames can be queued.
    private func offer(_ charge: Charge, to leaf: ClassID, asBurst: Bool) -> EnqueueVerdict {
        let handle = UnsafeMutableRawPointer(bitPattern: 8)!
        if !asBurst { return tree.pointee.enqueue(handle, charge: charge, tag: tag, to: leaf, at: now) }
        var frame = OfferedFrame(handle: handle, charge: charge, tag: tag, leaf: leaf)
        let queued = tree.pointee.enqueue(&frame, count: 1, at: now)
        precondition(queued == (frame.verdict == .queued ? 1 : 0))
        return frame.verdict
    }

    /// All frames of one leaf must pass before those of the next may.
    private func bypass(_ first: Int, _ offered: [(leaf: ClassID, lengths: [Charge])]) -> String? {
        var lengths = [Charge](repeating: 1, count: first)
        var runs: [LeafRun] = []
        var expected = first
        oracle.update(at: now)
        var goesOn = true
        for (leaf, own) in offered {
            lengths += own
            runs.append(LeafRun(leaf: leaf, end: UInt32(lengths.count)))
            guard goesOn else { continue }
            let passed = oracle.bypass(own, to: leaf, at: now)
            expected += passed
            goesOn = passed == own.count
        }
        let end = tree.pointee.bypass(lengths, from: first, runs, count: runs.count, at: now)
        return end == expected ? nil : "of \(lengths) those before \(end) pass to \(runs), the oracle lets those before \(expected) pass"
    }

    private func dequeue(limit: Int) -> String? {
        let count = tree.pointee.dequeue(into: into, limit: limit, at: now)
        oracle.wake(at: now)
        if let difference = delays(ofTaken: count) { return difference }
        for index in 0..<count {
            let frame = into[index]
            let expected = oracle.dequeue(at: now)
            if oracle.isTied { return nil }
            guard let expected else { return "frame from \(frame.leaf), the oracle sends none" }
            if expected.leaf != frame.leaf || expected.tag != frame.tag || expected.charge != frame.charge {
                return "frame from \(frame.leaf), the oracle sends from \(expected.leaf)"
            }
        }
        if count < limit, let more = oracle.dequeue(at: now) { return "no frame, the oracle sends from \(more.leaf)" }
        oracle.endDequeue(at: now)
        collect()
        let queued = oracle.classes.values.reduce(0) { $0 + $1.queue.count }
        if tree.pointee.backlogFrames != queued { return "backlog \(tree.pointee.backlogFrames), the oracle has \(queued)" }
        return tardy(waiting: count < limit)
    }

    /// Notes the delays of the frames that the tree has sent. Returns nil if the tree knows when they were queued.
    private func delays(ofTaken count: Int) -> String? {
        guard delays != nil, count != 0 else { return nil }
        tree.pointee.queuingTimes(of: into, count: count, into: times)
        let isInOrder = !(0..<count).contains { tree.pointee.queuesFlows(into[$0].leaf) }
        for index in 0..<count {
            let since = queuedAt[into[index].tag]!
            if isInOrder, times[index] != since { return "frame \(into[index].tag) was queued at \(since), not \(times[index])" }
            if now > since { delays![into[index].leaf, default: []].append(now - since) }
        }
        tree.pointee.countDelays(of: into, count: count, at: now)
        let known = (0..<count).map { queuedAt[into[$0].tag]! }.sorted()
        return known == (0..<count).map { times[$0] }.sorted() ? nil : "frames were queued at \(known)"
    }

    /// The tree must not sleep beyond the time at which the oracle could send.
    private func tardy(waiting: Bool) -> String? {
        let next = tree.pointee.nextEvent(at: now)
        guard waiting, next > now else { return nil }
        let probe = next == .max ? now + 100_000_000_000_000 : next - 1
        for c in oracle.classes.values where !c.active.isEmpty && c.modeNow(probe) != c.modeNow(now) {
            return "sleeps until \(next), but class \(c.id) changes before"
        }
        let root = oracle.classes[1]!
        if oracle.savers.contains(where: { !$0.isEmpty }), root.modeNow(probe) != .cannot { return "sleeps until \(next), but the root lets savers go on before" }
        return nil
    }

    /// Compares the counters of all classes.
    private func counters() -> String? {
        for (id, c) in oracle.classes {
            let counters = tree.pointee.counters(of: id)
            var counts = Oracle.Counts()
            counts.sentFrames = counters.sentFrames
            counts.sentBytes = counters.sentBytes
            counts.borrowedFrames = counters.borrowedFrames
            counts.borrowedBytes = counters.borrowedBytes
            counts.lentFrames = counters.lentFrames
            counts.lentBytes = counters.lentBytes
            counts.droppedQueueLimit = counters.droppedQueueLimit
            counts.droppedBufferShare = counters.droppedBufferShare
            counts.droppedBufferFull = counters.droppedBufferFull
            counts.droppedCoDel = counters.droppedCoDel
            if c.counts.borrowedFrames != 0 {
                counts.loans = Dictionary(uniqueKeysWithValues: tree.pointee.loans(of: id).map { ($0.lender, $0.bytes) })
            }
            if counts != c.counts { return "class \(id) counts \(counts), the oracle \(c.counts)" }
            var waits = Oracle.Waits()
            waits.ceiling = counters.waitsCeiling
            waits.peak = counters.waitsPeak
            waits.packets = counters.waitsPackets
            waits.output = counters.waitsOutput
            waits.nothingToLend = counters.waitsNothingToLend
            waits.ancestors = Dictionary(uniqueKeysWithValues: tree.pointee.ceilingWaits(of: id).map { ($0.ancestor, $0.waits) })
            if let delays, let difference = DelayModel.difference(tree.pointee.delays(of: id), delays[id] ?? []) { return "class \(id): \(difference)" }
            if waits != c.waits { return "class \(id) waited \(waits), the oracle says \(c.waits)" }
            if counters.waitsAncestor != c.waits.ancestors.values.reduce(0, +) { return "class \(id) waited \(counters.waitsAncestor) times for ancestors" }
            let bytes = c.queue.reduce(0) { $0 + Int($1.charge.bytes) }
            if Int(counters.backlogBytes) != bytes { return "class \(id) holds \(counters.backlogBytes) bytes, the oracle \(bytes)" }
            if Int(counters.backlogFrames) != c.queue.count { return "class \(id) holds \(counters.backlogFrames), the oracle \(c.queue.count)" }
        }
        return nil
    }
}
