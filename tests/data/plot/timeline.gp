# Written by onrush plot. Its data are in timeline.dat, and
#     gnuplot -e "term='png'" timeline.gp
# draws it in this folder; term may be svg, png, pdf or dumb.
name = 'timeline'
data = 'timeline.dat'
heading = 'Rates, requests under way and response over time'
caption = '1000/s even for 300ms, concurrence 4 fresh  ·  VALID  ·  n = 290'
time_unit = 'ms'
time_axis = 'unset logscale x; set xrange [0:300000000]; set xtics ("0" 0, "50" 50000000, "100" 100000000, "150" 150000000, "200" 200000000, "250" 250000000, "300" 300000000)'
time_axis_without_labels = 'unset logscale x; set xrange [0:300000000]; set xtics ("" 0, "" 50000000, "" 100000000, "" 150000000, "" 200000000, "" 250000000, "" 300000000)'
rate_axis = 'unset logscale y; set yrange [0:4000]; set ytics ("0" 0, "2k" 2000, "4k" 4000)'
level_axis = 'unset logscale y; set yrange [0:60]; set ytics ("0" 0, "20" 20, "40" 40, "60" 60)'
length_axis = 'set logscale y; set yrange [50000:100000000]; set ytics ("100 us" 100000, "1 ms" 1000000, "10 ms" 10000000, "100 ms" 100000000)'
any_failed = 1
level_1 = 0.162
level_2 = 0.002
length_1 = 0.104
length_2 = 0.264

# The look that all pictures share.
if (!exists("term")) term = "svg"
if (term eq "png") set terminal pngcairo size 1440,900 font "sans,12" fontscale 1.4 linewidth 1.5
if (term eq "svg") set terminal svg size 960,600 font "sans-serif,13" background "#ffffff"
if (term eq "pdf") set terminal pdfcairo size 9.6in,6in font "sans,13"
if (term eq "dumb") set terminal dumb size 110,40
set output term eq "dumb" ? "/dev/stdout" : name . "." . term
set encoding utf8

# Okabe and Ito: told apart by every kind of colour vision.
blue = "#0072B2"; sky = "#56B4E9"; green = "#009E73"; orange = "#E69F00"
red = "#D55E00"; purple = "#CC79A7"; grey = "#999999"; ink = "#333333"; faint = "#F2F2F2"

set border 3 lc rgb grey
set tics nomirror out scale 0.6 tc rgb ink
set grid lc rgb "#DDDDDD" lw 0.8 dt 1
set xlabel tc rgb ink
set style fill solid noborder
set key noautotitle
set lmargin at screen 0.115
set rmargin at screen 0.87
set tmargin at screen 0.85
set bmargin at screen 0.12
set label 1 "{/:Bold " . heading . "}" at screen 0.02, 0.955 font ",16" tc rgb ink
set label 2 caption at screen 0.02, 0.905 noenhanced tc rgb "#666666"

set multiplot
set bmargin at screen 0.64
eval time_axis_without_labels
eval rate_axis
set label 70 "per second" at screen 0.022, graph 0.5 rotate center tc rgb ink
set key at screen 0.88, screen 0.85 left top vertical Left reverse samplen 1 textcolor rgb ink
plot data index "steps" using 1:3 with steps lw 5 lc rgb "#CCCCCC" title "planned", \
     data index "steps" using 1:4 with steps lw 1.5 lc rgb orange title "sent", \
     data index "steps" using 1:5 with steps lw 1.5 lc rgb blue title "ok", \
     data index "steps" using 1:(any_failed ? $6 : NaN) with steps lw 1.5 lc rgb red \
         title any_failed ? "failed" : ""

unset label
set key noautotitle
set tmargin at screen 0.60
set bmargin at screen 0.39
eval level_axis
set label 70 "requests" at screen 0.022, graph 0.5 rotate center tc rgb ink
set label 80 "in system" at graph 1.01, graph level_1 tc rgb orange
set label 81 "in flight" at graph 1.01, graph level_2 tc rgb blue
plot data index "steps" using 1:7 with steps lw 1.5 lc rgb orange, \
     data index "steps" using 1:8 with steps lw 1.5 lc rgb blue

set tmargin at screen 0.35
set bmargin at screen 0.12
eval time_axis
eval length_axis
set xlabel "time (" . time_unit . " since the start of measure)"
set label 70 "response" at screen 0.022, graph 0.5 rotate center tc rgb ink
set label 80 "p50" at graph 1.01, graph length_1 tc rgb blue
set label 81 "p99" at graph 1.01, graph length_2 tc rgb orange
plot data index "steps" using 1:10 with steps lw 1.5 lc rgb orange, \
     data index "steps" using 1:9 with steps lw 1.5 lc rgb blue
unset multiplot
