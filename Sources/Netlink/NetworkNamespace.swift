import CNetlink
import Glibc

/// One of the host's network namespaces.
public enum NetworkNamespace: Hashable, Sendable {
    /// The namespace that this process runs in.
    case current
    /// A namespace that `ip netns` manages: a file under /run/netns.
    case named(String)
    /// A namespace given by a file such as /proc/PID/ns/net.
    case path(String)

    /// A text that contains a slash is taken as a path, any other as a name.
    public init(_ text: String) { self = text.contains("/") ? .path(text) : .named(text) }

    /// The file that stands for the namespace; nil for the current one.
    public var path: String? {
        switch self {
        case .current: nil
        case .named(let name): "/run/netns/\(name)"
        case .path(let path): path
        }
    }

    var place: String {
        switch self {
        case .current: "on this host"
        case .named(let name): "in the network namespace \(name)"
        case .path(let path): "in the network namespace \(path)"
        }
    }

    /// Opens the namespace's file, hands its descriptor to `body` and closes it.
    func withDescriptor<Result>(_ body: (CInt) throws(NetlinkError) -> Result) throws(NetlinkError) -> Result {
        let path = path ?? "/proc/thread-self/ns/net"
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == EACCES || errno == EPERM { throw .notPermitted(doing: "open \(path)") }
            throw .noSuchNamespace(path: path)
        }
        defer { close(descriptor) }
        return try body(descriptor)
    }

    /// Runs `body` inside the namespace and waits for it. Unless that is the current one, `body` runs on a thread of its own, which enters the namespace and
    /// ends with `body`, so that no other code ever runs in there. Sockets that `body` opens remain in the namespace.
    public func run<Result>(_ body: () throws(NetlinkError) -> Result) throws(NetlinkError) -> Result {
        if self == .current { return try body() }
        return try withDescriptor { descriptor throws(NetlinkError) in
            var outcome: Swift.Result<Result, NetlinkError>?
            try onOwnThread {
                guard enter_network_namespace(descriptor) == 0 else {
                    let path = path ?? ""
                    outcome = .failure(errno == EPERM ? .notPermitted(doing: "enter the network namespace \(path)") : .notANamespace(path: path))
                    return
                }
                do throws(NetlinkError) { outcome = .success(try body()) } catch { outcome = .failure(error) }
            }
            guard let outcome else { throw .unavailable(reason: "the thread inside the namespace gave no answer") }
            return try outcome.get()
        }
    }
}

/// Runs `work` on a new thread and waits for its end.
private func onOwnThread(_ work: () -> Void) throws(NetlinkError) {
    let status = withoutActuallyEscaping(work) { work in
        let context = Unmanaged.passRetained(Work(body: work))
        var thread = pthread_t()
        let status = pthread_create(&thread, nil, { context in
            Unmanaged<Work>.fromOpaque(context!).takeUnretainedValue().body()
            return nil
        }, context.toOpaque())
        if status == 0 { pthread_join(thread, nil) }
        context.release()
        return status
    }
    if status != 0 { throw .unavailable(reason: "no thread can be started (\(String(cString: strerror(status))))") }
}

private final class Work {
    let body: () -> Void
    init(body: @escaping () -> Void) { self.body = body }
}
