"""The web page: executions, their trees and timelines, inputs and outputs, logs. It reads and never writes."""
