import Glibc

/// Calls `body` with each number from 0 to `count` - 1, each on a thread of its own, all at the same time. Returns when all calls have ended.
/// (`DispatchQueue.concurrentPerform` uses no more threads than the machine has processors, so calls that wait for each other would never end.)
package func onThreads(_ count: Int, _ body: @Sendable (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
        let threads = (0..<count).map { index in
            var thread = pthread_t()
            let work = Unmanaged.passRetained(Work { body(index) })
            let result = pthread_create(&thread, nil, { argument in
                Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, work.toOpaque())
            precondition(result == 0, "no more threads")
            return thread
        }
        for thread in threads { pthread_join(thread, nil) }
    }
}

private final class Work {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}
