import Glibc
import Synchronization

/// The poll loops that keep the control side waiting. A thread that waits for one records it here; other threads tell about it.
public enum SilentLoops {
    /// A turn takes microseconds, so a loop that has not answered for this long is stopped, or hangs in a driver or in the kernel.
    static let patience: Duration = .seconds(5)

    struct Silence {
        var cpu: Int
        /// The kernel's number of the loop's thread.
        var thread: Int32
        var since: ContinuousClock.Instant
    }

    private struct Table {
        var next = 0
        var silences: [Int: Silence] = [:]
    }
    private static let table = Mutex(Table())

    static func begin(_ silence: Silence) -> Int {
        table.withLock {
            $0.next += 1
            $0.silences[$0.next] = silence
            return $0.next
        }
    }

    static func end(_ number: Int) { table.withLock { _ = $0.silences.removeValue(forKey: number) } }

    /// Which loop does not answer, for how long, and what its thread does, as a sentence; nil: all loops answer. It may be called on any thread.
    public static var sentence: String? {
        guard let silence = table.withLock({ $0.silences.values.min { $0.since < $1.since } }) else { return nil }
        let seconds = (ContinuousClock.now - silence.since).components.seconds
        return "the poll loop on CPU \(silence.cpu) has not answered for \(seconds) s: its thread \(silence.thread) \(state(of: silence.thread))"
    }

    /// What the thread does, from the third field of its `stat` file, which stands behind the name in parentheses (proc(5)).
    private static func state(of thread: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 512)
        let descriptor = open("/proc/self/task/\(thread)/stat", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "is gone" }
        defer { close(descriptor) }
        let count = read(descriptor, &bytes, bytes.count)
        let place = "/proc/\(getpid())/task/\(thread)/stack tells where"
        switch bytes.prefix(max(count, 0)).split(separator: UInt8(ascii: ")")).last?.dropFirst().first.map({ UnicodeScalar($0) }) {
        case "R": return "runs, or waits for that CPU, which something else has taken"
        case "T": return "is stopped: continue it with `kill -CONT \(getpid())`"
        case "t": return "is held by a debugger"
        case "D": return "waits in the kernel: \(place)"
        default: return "sleeps: \(place)"
        }
    }
}

/// Waits for a poll loop, and sleeps in between. It has to wait however long that takes, because the loop may still use what is to be freed. A loop that does
/// not answer for too long is recorded in `SilentLoops`.
func waitFor(_ lcore: UnsafeMutablePointer<Lcore>, microseconds: Int, while isWaiting: () -> Bool) {
    guard isWaiting() else { return }
    let began = ContinuousClock.now
    var told: Int?
    repeat {
        pause(microseconds: microseconds)
        if told == nil, ContinuousClock.now - began > SilentLoops.patience {
            told = SilentLoops.begin(SilentLoops.Silence(cpu: lcore.pointee.cpu, thread: lcore.pointee.thread, since: began))
        }
    } while isWaiting()
    if let told { SilentLoops.end(told) }
}
