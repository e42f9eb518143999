import Scheduler
import Testing

/// Marks of congestion, in virtual time.
@Suite("Marks of congestion (ECN)") struct CongestionTests {
    /// A tree with a leaf, 2, of 100 Mbit/s, to which frames of 1 250 bytes are offered; each of them takes 100 us.
    private final class Line {
        let tree = ClassTree.create(root: ClassParameters(), classes: 16, frames: 100_000, outputs: 1, overhead: 0, now: 0)
        var now: Nanoseconds = 0
        var offered = 0, marked: [Int] = [], sent: [Int] = [], times: [Nanoseconds] = []
        private let into = UnsafeMutablePointer<ScheduledFrame>.allocate(capacity: 64)
        private let freed = UnsafeMutablePointer<DroppedFrame>.allocate(capacity: 64)
        var dropped: [Int] = []

        init(_ change: (inout ClassParameters) -> Void) {
            _ = tree.pointee.add(2, under: 1, Self.parameters(change), at: 0)
        }

        static func parameters(_ change: (inout ClassParameters) -> Void) -> ClassParameters {
            var p = ClassParameters(floor: 0, ceiling: 100_000_000, ceilingBurst: 1_250)
            p.limitPackets = 0
            change(&p)
            return p
        }

        deinit {
            ClassTree.destroy(tree)
            into.deallocate()
            freed.deallocate()
        }

        /// Offers frames with the next numbers. Other bits of their tags must come back as they are.
        func offer(_ count: Int = 1, capable: (Int) -> Bool = { _ in true }) {
            for _ in 0..<count {
                offered += 1
                let tag = 0xabcd_ef00 | (capable(offered) ? CongestionTag.capable : 0)
                let verdict = tree.pointee.enqueue(
                    UnsafeMutableRawPointer(bitPattern: offered)!, charge: Charge(bytes: 1_250), tag: tag, flow: 7, to: 2, at: now)
                #expect(verdict == .queued)
            }
        }

        /// Sends what may leave, and then lets time pass.
        func step(_ time: Nanoseconds = 10_000) {
            while case let count = tree.pointee.dequeue(into: into, limit: 64, at: now), count != 0 {
                for frame in UnsafeBufferPointer(start: into, count: count) {
                    let number = Int(bitPattern: frame.handle)
                    sent.append(number)
                    #expect(frame.tag & ~CongestionTag.marked == 0xabcd_ef00)
                    if frame.tag & CongestionTag.marked != 0 {
                        marked.append(number)
                        times.append(now)
                    }
                }
            }
            while case let count = tree.pointee.takeDropped(into: freed, limit: 64), count != 0 {
                dropped += UnsafeBufferPointer(start: freed, count: count).map { Int(bitPattern: $0.handle) }
            }
            now += time
        }

        var counters: ClassCounters { tree.pointee.counters(of: 2) }
        var waiting: Int { Int(counters.backlogFrames) }
    }

    @Test("CoDel marks at the times at which it would drop, and drops nothing")
    func marksFollowTheControlLaw() {
        let line = Line {
            ($0.codelTarget, $0.codelInterval) = (5 * millisecond, 100 * millisecond)
            $0.marksForCoDel = true
        }
        line.offer(60_000)
        while line.times.count < 40 { line.step(100_000) }
        for n in 1..<40 {
            let law = 100e6 / Double(n).squareRoot()
            #expect(abs(Double(line.times[n] - line.times[n - 1]) - law) < 250_000, "mark \(n)")
        }
        #expect(line.dropped.isEmpty && line.counters.droppedCoDel == 0 && line.counters.markedFrames == 40 && line.sent == Array(1...line.sent.count))
        #expect(line.tree.pointee.brokenInvariants().isEmpty)
    }

    @Test("frames whose transport does not understand marks are dropped, also among others; without ecn all are", arguments: [true, false], [false, true])
    func mixed(marks: Bool, flows: Bool) {
        let line = Line {
            ($0.codelTarget, $0.codelInterval, $0.marksForCoDel) = (1 * millisecond, 20 * millisecond, marks)
        }
        if flows {
            line.tree.pointee.grantFlows(to: 2)
            let p = Line.parameters {
                ($0.codelTarget, $0.codelInterval, $0.marksForCoDel, $0.queuesFlows) = (1 * millisecond, 20 * millisecond, marks, true)
            }
            #expect(line.tree.pointee.change(2, p, at: 0) == .done)
        }
        #expect(line.tree.pointee.mayMark == marks && line.tree.pointee.marks(2) == marks && line.tree.pointee.readsHeaders == (marks || flows))
        // Leaves that do not mark must not be given the bit.
        line.offer(20_000) { marks && $0 % 3 != 0 }
        while line.now < second { line.step(100_000) }
        #expect(line.marked.allSatisfy { $0 % 3 != 0 } && (!marks || line.dropped.allSatisfy { $0 % 3 == 0 }))
        #expect(line.dropped.count > 20 && line.marked.isEmpty == !marks && (!marks || line.marked.count > 20))
        #expect(line.counters.droppedCoDel == UInt64(line.dropped.count) && line.counters.markedFrames == UInt64(line.marked.count))
        #expect(line.tree.pointee.brokenInvariants().isEmpty)
    }

    @Test("above a threshold of bytes exactly those frames are marked as which leave more than that wait; the queue drops nothing and others are fast")
    func bytes() {
        let line = Line { $0.markBytes = 10 * 1_250 }
        line.offer(100) { $0 % 2 == 0 }
        while line.waiting != 0 { line.step() }
        // With frame n, 101 - n frames wait.
        #expect(line.marked == (1...100).filter { $0 % 2 == 0 && 101 - $0 > 10 } && line.dropped.isEmpty)
        #expect(line.counters.markedFrames == UInt64(line.marked.count))
    }

    @Test("above a threshold of delay exactly those frames are marked that have waited longer")
    func delay() {
        let line = Line { $0.markDelay = 2 * millisecond }
        line.offer(100)
        var left: [Int: Nanoseconds] = [:]
        while line.waiting != 0 {
            let before = line.sent.count, now = line.now
            line.step()
            for number in line.sent[before...] { left[number] = now }
        }
        #expect(line.marked == (1...100).filter { left[$0]! > 2 * millisecond } && line.marked.count > 50 && line.marked.count < 100)
    }

    @Test("a sender that slows down for marks as DCTCP does keeps the queue near the threshold, and the link busy")
    func dctcp() {
        let line = Line { $0.markBytes = 20 * 1_250 }
        // The window, and DCTCP's estimate of how many frames are marked (RFC 8257, 3.3). A round trip is 500 us without a queue, five frames.
        var window = 10.0, alpha = 1.0, flying = 0, answers: [(at: Nanoseconds, isMarked: Bool)] = [], answered = 0
        var round = (end: Nanoseconds(0), sent: 0, marked: 0), depths: [Int] = []
        while line.now < 2 * second {
            while answered < answers.count, answers[answered].at <= line.now {
                flying -= 1
                round.sent += 1
                if answers[answered].isMarked { round.marked += 1 } else { window += 1 / window }
                answered += 1
            }
            if line.now >= round.end, round.sent > 0 {
                alpha += (Double(round.marked) / Double(round.sent) - alpha) / 16
                if round.marked > 0 { window = max(2, window * (1 - alpha / 2)) }
                round = (line.now + 500_000 + Nanoseconds(line.waiting) * 100_000, 0, 0)
            }
            while flying < Int(window) {
                flying += 1
                line.offer()
            }
            let before = line.sent.count, marks = line.marked.count
            line.step()
            for number in line.sent[before...] { answers.append((line.now + 500_000, line.marked[marks...].contains(number))) }
            if line.now > second { depths.append(line.waiting) }
        }
        let mean = Double(depths.reduce(0, +)) / Double(depths.count)
        #expect(mean > 8 && mean < 30 && depths.max()! < 45, "\(mean), at most \(depths.max()!)")
        // 10 000 frames a second.
        #expect(line.sent.count > 19_500 && line.dropped.isEmpty && line.counters.markedFrames > 100)
    }

    @Test("what was marked stays counted when marking ends, when the class goes, and when it moves")
    func counts() {
        let line = Line { $0.markBytes = 1 }
        _ = line.tree.pointee.add(3, under: 1, ClassParameters(), at: 0)
        line.offer(5)
        while line.waiting != 0 { line.step() }
        #expect(line.counters.markedFrames == 5 && line.tree.pointee.counters(of: 1).markedFrames == 5 && line.tree.pointee.mayMark)
        #expect(line.tree.pointee.change(2, Line.parameters { _ in }, at: line.now) == .done && line.counters.markedFrames == 5 && !line.tree.pointee.mayMark)
        #expect(line.tree.pointee.change(2, Line.parameters { $0.markDelay = 1 }, at: line.now) == .done && line.tree.pointee.mayMark)
        line.now += 10 * millisecond
        line.offer(1)
        line.now += 10 * millisecond
        line.step()
        #expect(line.counters.markedFrames == 6)
        #expect(line.tree.pointee.brokenInvariants().isEmpty)
        #expect(line.tree.pointee.remove(2, at: line.now) == .done && line.tree.pointee.counters(of: 1).markedFrames == 6 && !line.tree.pointee.mayMark)
        #expect(line.tree.pointee.brokenInvariants().isEmpty)
    }
}
