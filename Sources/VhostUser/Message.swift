/// A message that is being handled.
struct Message {
    let header: MessageHeader
    let payload: [UInt8]
    /// The descriptors that nobody has taken: they are closed.
    private(set) var descriptors: [ReceivedDescriptor]
    /// The ring that the message says something about; nil: none.
    var touched: Int?

    init(_ header: MessageHeader, _ payload: [UInt8], _ descriptors: [ReceivedDescriptor]) {
        (self.header, self.payload, self.descriptors) = (header, payload, descriptors)
    }

    /// What is asked, if the message has the form that such a request has.
    func request() throws(Refusal) -> Request {
        guard let request = Request(rawValue: header.request) else { throw Refusal("there is no request \(header.request)") }
        if let size = request.payloadSize, payload.count != size {
            throw Refusal("\(request.name) came with \(payload.count) bytes instead of \(size)")
        }
        if let count = request.descriptorCount, !count.contains(descriptors.count) {
            throw Refusal("\(request.name) came with \(descriptors.count) descriptors instead of \(count.upperBound)")
        }
        return request
    }

    /// The payload as one number.
    var number: UInt64 {
        var reader = PayloadReader(payload)
        return reader.number64() ?? 0
    }

    /// Takes all descriptors out of the message.
    mutating func takeDescriptors() -> [ReceivedDescriptor] {
        defer { descriptors = [] }
        return descriptors
    }

    /// Takes the one descriptor of the message, if it has one.
    mutating func takeDescriptor() -> ReceivedDescriptor? { descriptors.isEmpty ? nil : descriptors.removeFirst() }
}
