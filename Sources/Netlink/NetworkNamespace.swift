import CNetlink
import Glibc

/// One of the host's network namespaces.
public enum NetworkNamespace: Hashable, Sendable {
    /// The one this process runs in.
    case current
    /// As `ip netns` names it: a file under /run/netns.
    case named(String)
    /// A file such as /proc/PID/ns/net.
    case path(String)

    /// A text with a slash is a path, any other one a name.
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

    /// Runs `body` inside the namespace: on a thread of its own, which enters the namespace and ends with `body`, so that no other
    /// code ever finds itself there. Sockets that `body` opens stay in the namespace.
    public func run<Result>(_ body: () throws(NetlinkError) -> Result) throws(NetlinkError) -> Result {
        if self == .current { return try body() }
        return try withDescriptor { descriptor throws(NetlinkError) in
            let path = path ?? ""
            return try withoutActuallyEscaping(body) { body throws(NetlinkError) in
                let visit = Visit<Result> { () throws(NetlinkError) in
                    guard enter_network_namespace(descriptor) == 0 else {
                        if errno == EPERM { throw .notPermitted(doing: "enter the network namespace \(path)") }
                        throw .notANamespace(path: path)
                    }
                    return try body()
                }
                return try visit.run()
            }
        }
    }
}

/// A piece of work for a thread of its own, and its outcome.
private final class Visit<Value> {
    private let work: () throws(NetlinkError) -> Value
    private var outcome: Result<Value, NetlinkError>?

    init(_ work: @escaping () throws(NetlinkError) -> Value) { self.work = work }

    func run() throws(NetlinkError) -> Value {
        var thread = pthread_t()
        let start: () -> Void = { self.outcome = Result { () throws(NetlinkError) in try self.work() } }
        let context = Unmanaged.passRetained(Start(start))
        let status = pthread_create(&thread, nil, { context in
            Unmanaged<Start>.fromOpaque(context!).takeRetainedValue().body()
            return nil
        }, context.toOpaque())
        guard status == 0 else {
            context.release()
            throw .unavailable(reason: "no thread can be started (\(String(cString: strerror(status))))")
        }
        pthread_join(thread, nil)
        guard let outcome else { throw .unavailable(reason: "the thread inside the namespace gave no answer") }
        return try outcome.get()
    }

    private final class Start {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }
}
