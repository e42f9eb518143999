import Scheduler
import Testing

/// How long a frame that is sent now and then, as by ping, waits in a class that others fill, for each queue discipline. Runs in virtual time.
@Suite struct QueueDelayTests {
    enum Discipline: String, CaseIterable { case unbounded = "tail, 1000 frames", tail = "tail, 50 ms", codel, fqCodel = "fq-codel" }

    struct Figures {
        var mean = 0.0, high = 0.0, worst = 0.0, goodput = 0.0
    }

    /// Measures four flows that behave like TCP (slow start, then one frame more for each round trip, and half of that after a loss; RFC 5681) over a path with
    /// a delay of 20 ms, together with a ping every 10 ms, for 20 s, of which the first two do not count.
    ///
    /// - Parameter flood: instead of them, one flow sends half again as much as the class may, and does not slow down.
    static func measure(_ discipline: Discipline, mbit: UInt64, flood: Bool) -> Figures {
        let bench = Bench()
        bench.gapsAllowed = true
        var p = ClassParameters.mbit(0, ceil: mbit, ceilingBurst: 3_028)
        if discipline != .unbounded { p.limitBytes = UInt32(max(mbit * 1_000_000 / 8 / 20, 15_220)) }
        if discipline == .codel || discipline == .fqCodel { p.codelTarget = 5 * millisecond }
        p.queuesFlows = discipline == .fqCodel
        bench.add(2, under: 1, p)

        struct Sender { var window = 10.0, threshold = Double.infinity, flying = 0, healed: Nanoseconds = 0 }
        var senders = Array(repeating: Sender(), count: flood ? 0 : 4)
        let trip = 20 * millisecond, ping = 100
        // What a sender learns, in the order of time. Every answer takes one round trip.
        var answers: [(at: Nanoseconds, flow: Int, isLoss: Bool)] = [], answered = 0
        var owner: [UInt32: (flow: Int, since: Nanoseconds)] = [:], number: UInt32 = 0
        var delays: [Nanoseconds] = []
        var useful: UInt64 = 0
        func offer(_ flow: Int, _ length: UInt32) {
            guard bench.offer(2, length, flow: UInt32(flow)) == .queued else {
                if flow < senders.count { answers.append((bench.now + trip, flow, true)) }
                return
            }
            number += 1
            owner[number] = (flow, bench.now)
        }
        bench.onSend = { frame, now in
            let (flow, since) = owner.removeValue(forKey: frame.tag)!
            if flow < senders.count { answers.append((now + trip, flow, false)) }
            guard now > 2 * second else { return }
            if flow != ping { useful += UInt64(frame.charge.bytes) } else { delays.append(now - since) }
        }
        var nextPing: Nanoseconds = 0
        var flooded: UInt64 = 0
        while bench.now < 20 * second {
            while answered < answers.count, answers[answered].at <= bench.now {
                let answer = answers[answered]
                answered += 1
                senders[answer.flow].flying -= 1
                if !answer.isLoss {
                    senders[answer.flow].window += senders[answer.flow].window < senders[answer.flow].threshold ? 1 : 1 / senders[answer.flow].window
                } else if bench.now >= senders[answer.flow].healed {
                    senders[answer.flow].window = max(2, senders[answer.flow].window / 2)
                    senders[answer.flow].threshold = senders[answer.flow].window
                    senders[answer.flow].healed = bench.now + trip
                }
            }
            for flow in senders.indices {
                while senders[flow].flying < Int(senders[flow].window) {
                    senders[flow].flying += 1
                    offer(flow, 1_514)
                }
            }
            while flood, flooded * 8 < bench.now / 1_000 * mbit * 3 / 2 {
                flooded += 1_514
                offer(99, 1_514)
            }
            if bench.now >= nextPing {
                nextPing += 10 * millisecond
                offer(ping, 98)
            }
            bench.drain()
            bench.collectDropped()
            for tag in bench.droppedNumbers {
                let (flow, _) = owner.removeValue(forKey: tag)!
                if flow < senders.count { answers.append((bench.now + trip, flow, true)) }
            }
            bench.droppedNumbers = []
            bench.advance(to: bench.now + 50_000)
        }
        delays.sort()
        let mean = Double(delays.reduce(0, +)) / Double(max(delays.count, 1))
        return Figures(
            mean: mean / 1e6, high: Double(delays[delays.count * 99 / 100]) / 1e6, worst: Double(delays.last ?? 0) / 1e6, goodput: Double(useful) * 8 / 18e6)
    }

    /// Prints the table that is in `Benchmarks/RESULTS.md`.
    @Test func aSparseFlowWaitsByTheDiscipline() {
        func ms(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
        print("class, others, queue | mean ms | 99 % | worst | others got, mbit")
        for flood in [false, true] {
            for mbit in [10, 100] as [UInt64] {
                var found: [Discipline: Figures] = [:]
                for discipline in Discipline.allCases {
                    let figures = Self.measure(discipline, mbit: mbit, flood: flood)
                    found[discipline] = figures
                    let row = [figures.mean, figures.high, figures.worst, figures.goodput].map(ms).joined(separator: " | ")
                    print("\(mbit)mbit, \(flood ? "flood" : "4 TCP"), \(discipline.rawValue) | \(row)")
                    #expect(figures.goodput > 0.85 * Double(mbit))
                }
                // The bound is what fits into the queue, and ten frames of 1 522 bytes always do.
                #expect(found[.tail]!.worst < 56)
                #expect(found[.unbounded]!.worst > 2 * found[.tail]!.worst)
                #expect(found[.fqCodel]!.worst < 5)
                #expect(found[.fqCodel]!.mean < 0.25 * found[.tail]!.mean)
                if !flood { #expect(found[.codel]!.mean < 0.7 * found[.tail]!.mean) }
            }
        }
    }
}
