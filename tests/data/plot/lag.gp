# Written by onrush plot. Its data are in lag.dat, and
#     gnuplot -e "term='png'" lag.gp
# draws it in this folder; term may be svg, png, pdf or dumb.
name = 'lag'
data = 'lag.dat'
heading = 'Lag and holes: what may be ours'
caption = '1000/s even for 300ms, concurrence 4 fresh  ·  VALID  ·  n = 290'
time_unit = 'ms'
time_axis = 'unset logscale x; set xrange [0:300000000]; set xtics ("0" 0, "50" 50000000, "100" 100000000, "150" 150000000, "200" 200000000, "250" 250000000, "300" 300000000)'
lag_axis = 'set logscale y; set yrange [200:5000000]; set ytics ("1 us" 1000, "10 us" 10000, "100 us" 100000, "1 ms" 1000000)'
hole_axis = 'set logscale y; set yrange [10000:5000000]; set ytics ("10 us" 10000, "100 us" 100000, "1 ms" 1000000)'
any_holes = 1
time_axis_without_labels = 'unset logscale x; set xrange [0:300000000]; set xtics ("" 0, "" 50000000, "" 100000000, "" 150000000, "" 200000000, "" 250000000, "" 300000000)'

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

set label 'p50' at graph 1.01, graph 0.245 tc rgb blue noenhanced
set label 'p99' at graph 1.01, graph 0.335 tc rgb orange noenhanced
set label 'max' at graph 1.01, graph 0.425 tc rgb red noenhanced
set multiplot
set rmargin at screen 0.90
eval time_axis_without_labels
set bmargin at screen 0.42
eval lag_axis
set label 70 "lag" at screen 0.022, graph 0.5 rotate center tc rgb ink
plot data index "lag" using 1:5 with steps lw 1.5 lc rgb red, \
     data index "lag" using 1:4 with steps lw 1.5 lc rgb orange, \
     data index "lag" using 1:3 with steps lw 1.5 lc rgb blue

unset label
set tmargin at screen 0.38
set bmargin at screen 0.12
eval time_axis
eval hole_axis
set xlabel "time (" . time_unit . " since the start of measure)"
set label 70 "holes" at screen 0.022, graph 0.5 rotate center tc rgb ink
if (any_holes) {
    plot data index "holes" using 1:3 with impulses lw 1.5 lc rgb purple
} else {
    set label 91 "none" at graph 0.5, graph 0.5 center tc rgb grey
    plot NaN
}
unset multiplot
